import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Espalier, Model, Task } from "../../mod.ts"
import * as Llama from "../../plugins/llama/mod.ts"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname
const model = path("examples/models/espalier-1m")

/** Runs the example with these words, and lines on its standard input. */
const start = async (words: ReadonlyArray<string>, input = "") => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--config", path("deno.json"), "-P", path("examples/generate.ts"), "--threads", "2", ...words],
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn()
  const writer = child.stdin.getWriter()
  await writer.write(new TextEncoder().encode(input))
  await writer.close().catch(() => {})
  const { code, stdout, stderr } = await child.output()
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  return { code, out, errors }
}

/** A copy of the included model with a chat template. */
const withTemplate = async (template: string, use: (directory: string) => Promise<void>) => {
  const directory = await Deno.makeTempDir()
  try {
    for (const { name } of Deno.readDirSync(model)) await Deno.copyFile(`${model}/${name}`, `${directory}/${name}`)
    await Deno.writeTextFile(`${directory}/chat_template.jinja`, template)
    await use(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

Deno.test("the example answers a prompt, lines of a chat, and through an adapter", async () => {
  const options = ["--model", model, "--max-new-tokens", "8"]
  const one = await start([...options, "--prompt", "Once upon a time"])
  assertEquals(one.code, 0, one.errors)
  assert(one.out.length > 8 && one.out.endsWith("\n"), one.out)
  const several = await start(options, "Once upon a time\n\nThe")
  assert(several.out.startsWith(one.out) && several.out.split("\n").length >= 3, several.out)
  const wrong = await start([...options, "--adapter", path("tests/fixtures/llama"), "--prompt", "a"])
  assertEquals(wrong.code, 1)
  assertStringIncludes(wrong.errors, "adapter_config.json")
})

Deno.test("a chat goes through the model's template, with what was said before", async () => {
  const template = "{% for m in messages %}{{ m.role }}: {{ m.content.strip('x') }}\n{% endfor %}" +
    "{% if add_generation_prompt %}assistant:{% endif %}"
  await withTemplate(template, async (directory) => {
    const options = ["--model", directory, "--max-new-tokens", "6"]
    const chat = await start(options, "Once\nAnd then\n")
    assertEquals(chat.code, 0, chat.errors)
    const [first] = chat.out.split("\n")
    const plain = await start([...options, "--plain", "--prompt", "user: Once\nassistant:"])
    assert(plain.out.startsWith(first), `${plain.out} ${chat.out}`)
    const second = await start([
      ...[...options, "--plain", "--prompt"],
      `user: Once\nassistant: ${first}\nuser: And then\nassistant:`,
    ])
    assertStringIncludes(chat.out, second.out)
  })
  await withTemplate(template, async (directory) => {
    const all = Llama.layer.pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm" })))
    const write = Effect.flatMap(
      Model.load(directory, { task: Task.causalLM(), weights: "f32" }),
      (model) => Model.saveGguf(model, `${directory}/model.gguf`, { check: false }),
    )
    await Effect.runPromise(write.pipe(Effect.scoped, Effect.provide(all)))
    const answers = []
    for (const model of [directory, `${directory}/model.gguf`]) {
      answers.push(await start(["--model", model, "--max-new-tokens", "6", "--prompt", "Once"]))
    }
    assertEquals([answers[1].code, answers[1].out], [0, answers[0].out], answers[1].errors)
  })
  await withTemplate("{% nonsense %}", async (directory) => {
    const failed = await start(["--model", directory, "--prompt", "a"])
    assertEquals(failed.code, 1)
    assertStringIncludes(
      failed.errors,
      "the template cannot be used: it cannot be parsed: Unknown statement type: nonsense",
    )
    assertStringIncludes(failed.errors, "--plain continues prompts as they are")
  })
})
