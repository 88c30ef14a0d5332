import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { load, saveAdapters } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import * as Lora from "../../plugins/lora/mod.ts"
import { startHub } from "../support/hub_server.ts"
import { run } from "../support/model_layer.ts"

const repository = new URL("../../", import.meta.url)
const included = new URL("examples/models/espalier-1m", repository).pathname
const TOKEN = "hf_aTokenThatNobodyMaySee"

Deno.test("an adapter goes up by one example and answers by name in another, over the base that it names", async () => {
  const server = startHub()
  const folder = await Deno.realPath(await Deno.makeTempDir())
  const start = async (script: string, ...words: ReadonlyArray<string>) => {
    const hosts = server.ports.map((port) => `127.0.0.1:${port}`).join()
    const permissions = ["--allow-read", `--allow-write=${folder}`, "--allow-env", `--allow-net=${hosts}`]
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--config", new URL("deno.json", repository).pathname, ...permissions],
        ...[new URL(`examples/${script}.ts`, repository).pathname, ...words],
      ],
      cwd: folder,
      env: { NO_COLOR: "1", ESPALIER_BACKEND: "wasm", HF_ENDPOINT: server.endpoint, HF_HOME: folder, HF_TOKEN: TOKEN },
    }).output()
    const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes))
    return { code, out, errors }
  }
  try {
    const lora = Lora.layer({ r: 2, loraAlpha: 64, targetModules: ["q_proj", "v_proj"], initLoraWeights: false })
    const options = { task: Task.causalLM(), frozen: true }
    await run(Effect.flatMap(load(included, options), (model) => saveAdapters(model, `${folder}/run/adapter`)), lora)
    const write = (name: string, value: unknown) => Deno.writeTextFile(`${folder}/run/${name}`, JSON.stringify(value))
    await write("config.json", { model: "hf:o/base", methods: ["lora/default"] })
    await write("summary.json", { base: { loss: 5 }, test: { loss: 4.25 }, judgedBy: "test" })
    const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    server.commit("o/base", Object.fromEntries(names.map((name) => [name, Deno.readFileSync(`${included}/${name}`)])))

    const up = await start("upload", "--adapter", "run/adapter", "--to", "hf:me/tuned")
    assertEquals(up.code, 0, up.errors)
    assertStringIncludes(up.out, "hf:me/tuned: README.md, adapter_config.json, adapter_model.safetensors; commit ")
    const { commits, refs } = server.repositories.get("me/tuned")!
    const card = new TextDecoder().decode(commits.get(refs.get("main")!)!.get("README.md"))
    assertStringIncludes(card, "| loss | 5.0000 | 4.2500 |")

    const prompt = ["--prompt", "Once upon a time", "--max-new-tokens", "6", "--threads", "1"]
    const byName = await start("generate", "--adapter", "hf:me/tuned", ...prompt)
    const own = await start("generate", "--model", included, "--adapter", "run/adapter", ...prompt)
    assertEquals([byName.code, byName.out], [0, own.out], byName.errors)
    const plain = await start("generate", "--model", included, ...prompt)
    assertEquals(plain.out === own.out, false, "the adapter changes nothing")
    const none = await start("generate", "--adapter", "hf:me/none", ...prompt)
    assertEquals(none.code, 1)
    assertStringIncludes(none.errors, 'has no model "me/none", or the token may not see it')
  } finally {
    await server.close()
    await Deno.remove(folder, { recursive: true })
  }
})
