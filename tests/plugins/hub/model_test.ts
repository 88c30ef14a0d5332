import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import { loadTokenizer } from "../../../core/data/tokenizer_files/load_tokenizer.ts"
import { StorageError } from "../../../core/formats/files/storage_error.ts"
import { load, saveAdapters, saveCheckpoint, saveGguf } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Hub from "../../../plugins/hub/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import type { HubServer } from "../../support/hub_server.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { type Base, run } from "../../support/model_layer.ts"
import { logits } from "../files.ts"
import { filesBelow, TOKEN, withHub } from "./support.ts"

const included = new URL("../../../examples/models/espalier-1m", import.meta.url).pathname
const filesOf = (folder: string) =>
  Object.fromEntries(filesBelow(folder).map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]))
const options = { task: Task.causalLM(), frozen: true }

/** What {@link run} takes as the layer of a test's plugins. */
type Plugins<P> = Layer.Layer<P, PluginError, Base>

/** The hub as such a layer. */
const layerOf = ({ endpoint }: HubServer, cache: string) =>
  Hub.layer({ endpoint, cache }) as unknown as Plugins<Hub.Hub>

/** Logits of a model, and token ids of its tokenizer. */
const seen = async <P>(path: string, plugins: Plugins<P>) => {
  const backend = memoryBackend()
  const read = Effect.gen(function* () {
    const model = yield* load(path, options)
    const tokenizer = yield* loadTokenizer(path)
    return { logits: logits(model, backend), ids: tokenizer.encode("rain on the roof"), directory: model.directory }
  })
  return await run(read, plugins, backend)
}

Deno.test(
  "a model, its tokenizer and an adapter by name are those of their folders",
  withHub(async ({ server, cache }) => {
    const folder = cache.slice(0, -"/hub".length)
    const lora = Lora.layer({ r: 2, loraAlpha: 4, targetModules: ["q_proj"], initLoraWeights: false })
    await run(Effect.flatMap(load(included, options), (model) => saveAdapters(model, `${folder}/adapter`)), lora)
    server.commit("o/base", filesOf(included), { revision: "v1" })
    const adapter = filesOf(`${folder}/adapter`)
    const config = JSON.parse(new TextDecoder().decode(adapter["adapter_config.json"]))
    const named = JSON.stringify({ ...config, base_model_name_or_path: "o/base", revision: "v1" })
    server.commit("o/adapter", { ...adapter, "adapter_config.json": named })

    const hub = layerOf(server, cache)
    const byName = Lora.fromPeft("hf:o/adapter").pipe(Layer.provideMerge(hub)) as Plugins<Lora.Lora>
    const here = Lora.fromPeft(`${folder}/adapter`) as Plugins<Lora.Lora>
    const name = await run(Hub.baseModel("hf:o/adapter"), hub)
    assertEquals(name, "hf:o/base@v1")
    const [theirs, own] = [await seen(name, byName), await seen(included, here)]
    assertEquals([theirs.logits, theirs.ids], [own.logits, own.ids])
    assertEquals([theirs.directory, own.directory], [name, included])

    // Companions are read by name too.
    const save = Effect.flatMap(load(name, options), (model) => saveCheckpoint(model, `${folder}/saved`))
    await run(save, hub)
    // An adapter of a model by name names it as Python's tools do.
    const train = Lora.layer({ r: 2, targetModules: ["q_proj"] }).pipe(Layer.provideMerge(hub))
    await run(Effect.flatMap(load(name, options), (model) => saveAdapters(model, `${folder}/next`)), train)
    const next = JSON.parse(Deno.readTextFileSync(`${folder}/next/adapter_config.json`))
    assertEquals([next.base_model_name_or_path, next.revision], ["o/base", "v1"])
    assertEquals(Deno.readFileSync(`${folder}/saved/tokenizer.json`), Deno.readFileSync(`${included}/tokenizer.json`))
  }),
)

Deno.test(
  "of a repository of GGUF files, the one that is named comes",
  withHub(async ({ server, cache }) => {
    const path = `${cache.slice(0, -"/hub".length)}/model.gguf`
    await run(Effect.flatMap(load(included, options), (model) => saveGguf(model, path, { type: "Q8_0", check: false })))
    const file = await Deno.readFile(path)
    server.commit("o/gguf", { "q8.gguf": file, "q4.gguf": file.slice(1), "README.md": "x" })
    const [theirs, own] = [await seen("hf:o/gguf/q8.gguf", layerOf(server, cache)), await seen(path, Layer.empty)]
    assertEquals([theirs.logits, theirs.ids], [own.logits, own.ids])
    const fetched = server.seen.filter(({ path }) => path.includes("/resolve/"))
    assertEquals(fetched.map(({ path }) => path.split("/").at(-1)), ["q8.gguf"])
  }),
)

Deno.test(
  "what goes wrong with a name is told by all that reads paths, with the hub's error as the cause",
  withHub(async ({ server, cache }) => {
    server.commit("o/gated", filesOf(included), { gate: TOKEN })
    server.commit("o/empty", { "README.md": "x" })
    const hub = layerOf(server, cache)
    const failed = <E>(effect: Effect.Effect<unknown, E, Base | Hub.Hub>) =>
      run(Effect.flip(effect), hub) as Promise<E & { readonly message: string }>
    const gated = await failed(Effect.scoped(load("hf:o/gated", options)))
    assert(gated instanceof StorageError && gated.reason === "Permission", String(gated))
    assertStringIncludes(gated.message, 'cannot read "hf:o/gated/config.json": o/gated is gated: accept its terms at')
    const unknown = await failed(Effect.scoped(load("hf:o/none", options)))
    assertStringIncludes(unknown.message, 'has no model "o/none", or it is private')
    const empty = await failed(Effect.scoped(load("hf:o/empty", options)))
    assertStringIncludes(empty.message, '"hf:o/empty" holds no config.json')
    const tokenizer = await failed(loadTokenizer("hf:o/gated"))
    assertStringIncludes(tokenizer.message, "hf:o/gated/tokenizer.json cannot be read: o/gated is gated")
    const outside = await failed(Effect.scoped(load("hf:o/../../etc", options)))
    assertStringIncludes(outside.message, '".." is no name of an owner or a repository')

    const write = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString("hf:o/gated/config.json", "{}"))
    assertStringIncludes((await failed(write)).message, "a hub's files are not written by path")
    const plain = await run(Effect.flip(Effect.scoped(load("hf:o/gated", options))))
    assertStringIncludes(plain.message, "a model on a hub is named hf:owner/name, and needs the layer of")
    assert(!server.seen.some(({ path }) => path.includes("README")))
  }),
)

Deno.test(
  "names of a hub are folders and files for what lists and describes",
  withHub(async ({ server, run }) => {
    server.commit("o/n", { "config.json": "{}", "sub/a/b.json": "12", "sub/c.json": "3" })
    const found = await run(Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const type = (path: string) => Effect.map(fs.stat(path), ({ type, size }) => [type, Number(size)])
      return {
        all: yield* fs.readDirectory("hf:o/n"),
        deep: yield* fs.readDirectory("hf:o/n/sub", { recursive: true }),
        types: [yield* type("hf:o/n"), yield* type("hf:o/n/sub/a"), yield* type("hf:o/n/sub/a/b.json")],
        there: [yield* fs.exists("hf:o/n/sub/c.json"), yield* fs.exists("hf:o/n/sub/d.json")],
        text: yield* fs.readFileString("hf:o/n/sub/a/b.json"),
      }
    }))
    assertEquals(found, {
      all: ["config.json", "sub"],
      deep: ["a", "a/b.json", "c.json"],
      types: [["Directory", 0], ["Directory", 0], ["File", 2]],
      there: [true, false],
      text: "12",
    })
    assertEquals(server.seen.filter(({ path }) => path.includes("/resolve/")).length, 1)
  }),
)
