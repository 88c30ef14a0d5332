import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { openGguf, readRows } from "../../core/formats/gguf/gguf_file.ts"
import { Espalier, Model, Task } from "../../mod.ts"
import * as Llama from "../../plugins/llama/mod.ts"
import { inDirectory } from "../plugins/files.ts"

const path = (name: string) => new URL(`../../${name}`, import.meta.url).pathname

const start = async (directory: string, ...words: ReadonlyArray<string>) => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--config", path("deno.json"), "-P", `--allow-write=${directory}`],
      ...[path("examples/qa_lora.ts"), "--output", `${directory}/run`, "--threads", "2", ...words],
    ],
    env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
  }).output()
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
  return { code, out, errors }
}

/** Bytes of a file's tensors by name. */
const tensorsOf = (file: string) =>
  Effect.runPromise(Effect.provide(
    Effect.gen(function* () {
      const { tensors } = yield* openGguf(file)
      const all = new Map<string, Uint8Array>()
      for (const [name, tensor] of tensors) {
        const rows = tensor.shape.length === 1 ? 1 : tensor.shape[0]
        all.set(name, yield* readRows(file, tensor, 0, rows))
      }
      return all
    }),
    NodeFileSystem.layer,
  ))

Deno.test("the example takes a GGUF file in, trains, and writes one in which all codes are as they were", async () => {
  await inDirectory(async (directory) => {
    const base = `${directory}/base.gguf`
    const all = Llama.layer.pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm" })))
    const make = Effect.gen(function* () {
      const model = yield* Model.load(path("examples/models/espalier-1m"), { task: Task.causalLM() })
      yield* Model.saveGguf(model, base, { type: "Q4_1", check: false })
    })
    await Effect.runPromise(make.pipe(Effect.scoped, Effect.provide(all)))
    const data = `${directory}/data.jsonl`
    const rows = Array.from(
      { length: 40 },
      (_, i) => ({ question: `What is ${i} plus ${i}?`, answer: ` It is ${2 * i}.` }),
    )
    await Deno.writeTextFile(data, rows.map((row) => JSON.stringify(row)).join("\n"))
    const words = [
      "--model",
      base,
      "--data",
      data,
      "--prompt",
      "question",
      "--completion",
      "answer",
      "--max-steps",
      "3",
    ]
    const made = `${directory}/out/model.gguf`
    const options = [
      ...words,
      "--max-length",
      "32",
      "--gguf",
      made,
      "--name",
      "sums",
      "--check-prompts",
      "What is 3 plus 3?,Once upon a time",
    ]
    const done = await start(directory, ...options)
    assertEquals(done.code, 0, done.errors)
    assertStringIncludes(done.out, "blk.3.ffn_down.weight: 100 % of the update is in Q4_1 offsets")
    assertStringIncludes(done.out, "check: logits differ by up to")
    assertStringIncludes(done.out, `for Ollama: ollama create NAME -f ${directory}/out/Modelfile`)
    assertEquals(await Deno.readTextFile(`${directory}/out/Modelfile`), "FROM ./model.gguf\n")
    const [own, tuned] = [await tensorsOf(base), await tensorsOf(made)]
    assertEquals([...tuned.keys()], [...own.keys()])
    const codes = (bytes: Uint8Array) => bytes.filter((_, i) => i % 20 < 2 || i % 20 > 3)
    const adapted = [...own.keys()].filter((name) =>
      /^blk\.\d\.(attn_[qkv]|attn_output|ffn_\w+)\.weight$/.test(name) && !name.includes("norm")
    )
    assertEquals(adapted.length, 28)
    for (const [name, bytes] of own) {
      const isAdapted = adapted.includes(name)
      assertEquals(isAdapted ? codes(tuned.get(name)!) : tuned.get(name), isAdapted ? codes(bytes) : bytes, name)
      if (isAdapted) assert(bytes.some((byte, i) => byte !== tuned.get(name)![i]), name)
    }
    const chat = async (...model: ReadonlyArray<string>) => {
      const { stdout, success } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...[
            "run",
            "--config",
            path("deno.json"),
            "-P",
            path("examples/generate.ts"),
            "--prompt",
            "What is 2 plus 2?",
          ],
          ...["--max-new-tokens", "8", "--model", ...model],
        ],
        env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm" },
      }).output()
      assert(success)
      return new TextDecoder().decode(stdout)
    }
    assertEquals(await chat(base, "--adapter", `${directory}/run/adapter`), await chat(made))
    const again = await start(directory, ...options, "--overwrite")
    assertEquals(again.code, 1)
    assertStringIncludes(again.errors, 'model.gguf" is there already')
  })
})

Deno.test("the example's flags have a line each, and wrong ones are told before anything is read", async () => {
  await inDirectory(async (directory) => {
    const help = await start(directory, "--help")
    for (
      const flag of [
        "--model",
        "--data",
        "--rank",
        "--pooling",
        "--target-modules",
        "--gguf",
        "--force",
        "--check-prompts",
      ]
    ) {
      assertStringIncludes(help.out, flag)
    }
    const wrong = await start(directory, "--pooling", "max")
    assertStringIncludes(wrong.errors + wrong.out, "pooling")
    assertEquals(wrong.code, 1)
    const label = await start(directory, "--label", "x")
    assertEquals(label.code, 1)
  })
})
