/**
 * Banks of adapters: rows of one batch through adapters that were loaded while it runs.
 * @module
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { AdapterError, engine, load, type Model, type NewToken } from "../../../core/inference/mod.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { distance, fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { pair, random, writeAdapter } from "./adapters.ts"
import { OPTIONS, prompt, textsOf } from "./bank_rows.ts"

type Needs = Backend | Plugins | Families | FileSystem.FileSystem | Scope.Scope

/** Runs with the causal model of the fixtures and these plugins. */
function withModel<A>(
  backend: Layer.Layer<Backend, unknown>,
  use: (model: Model) => Effect.Effect<A, unknown, Needs>,
  plugins: Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem> = Layer.empty,
): Promise<A> {
  const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.merge(plugins, Llama.layer).pipe(Layer.provideMerge(base))
  const program = Effect.flatMap(load(fixture("llama/mistral"), { task: Task.causalLM(), frozen: true }), use)
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

const layerOf = (index: number, part: string) => `model.layers.${index}.self_attn.${part}`

/** Adapters of other ranks, scales and targets. */
async function writeAdapters(directory: string): Promise<void> {
  const both = (part: string, out: number, r: number, seed: number) => ({
    ...pair(layerOf(0, part), out, r, WIDTH, seed),
    ...pair(layerOf(1, part), out, r, WIDTH, seed + 1),
  })
  await writeAdapter(`${directory}/a`, { r: 2, lora_alpha: 3, target_modules: ["q_proj", "v_proj"] }, {
    ...both("q_proj", QUERIES, 2, 1),
    ...both("v_proj", VALUES, 2, 5),
  })
  await writeAdapter(
    `${directory}/b`,
    { r: 3, lora_alpha: 5, use_rslora: true, target_modules: ["q_proj"], rank_pattern: { "1.self_attn.q_proj": 4 } },
    { ...pair(layerOf(0, "q_proj"), QUERIES, 3, WIDTH, 7), ...pair(layerOf(1, "q_proj"), QUERIES, 4, WIDTH, 8) },
  )
  await writeAdapter(
    `${directory}/c`,
    { r: 1, lora_alpha: 2, target_modules: ["v_proj"] },
    both("v_proj", VALUES, 1, 9),
  )
}
const WIDTH = 16, QUERIES = 24, VALUES = 12

const names = ["a", "", "b", "c", "a"]

/** Texts of rows in models that have their adapter alone. */
async function textsAlone(directory: string): Promise<ReadonlyArray<ReadonlyArray<number>>> {
  const all: Array<ReadonlyArray<number>> = []
  for (const [i, name] of names.entries()) {
    const lora = Lora.fromPeft(`${directory}/${name}`) as Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>
    const rows = names.map(() => ({}))
    const texts = await withModel(
      wasm({ threads: 2 }),
      (model) => Effect.flatMap(engine(model), (own) => textsOf(own, rows)),
      name === "" ? undefined : lora,
    )
    all.push(texts[i])
  }
  return all
}

for (
  const { name, backend, test } of [
    { name: "wasm", backend: wasm({ threads: 2 }), test: Deno.test },
    { name: "webgpu", backend: webgpu(), test: onWebgpu },
  ]
) {
  test(`${name}: a row of a bank has the logits of the model with its adapter alone, whatever is beside it`, () =>
    inDirectory(async (directory) => {
      await writeAdapters(directory)
      const alone = await textsAlone(directory)
      await withModel(backend, (model) =>
        Effect.gen(function* () {
          const bank = Lora.bank({ slots: 2, rank: 4, targets: ["q_proj", "v_proj"] })
          const own = yield* engine(model, { adapters: bank, rows: 4 })
          for (const name of ["a", "b", "c"]) yield* own.adapters.load(name, `${directory}/${name}`)
          assertEquals(own.adapters.names, ["a", "b", "c"])
          // Three adapters and two slots: a row waits.
          const together = yield* textsOf(own, names.map((adapter) => ({ adapter })))
          for (const [i, values] of together.entries()) {
            const off = distance(values, alone[i])
            assert(off < 5e-5, `row ${i}: ${off}`)
            for (const [j, others] of alone.entries()) {
              if (names[i] !== names[j]) assert(distance(values, others) > 1e-3, `row ${i} is row ${j}`)
            }
          }
          // The same bits beside others, in another slot.
          for (const row of [3, 0]) {
            const rows = names.map((other, i) => ({ adapter: i === row ? other : "b" }))
            assertEquals((yield* textsOf(own, rows))[row], together[row])
          }
        }))
    }))
}

const readFiles = (path: string) =>
  Object.fromEntries([...Deno.readDirSync(path)].map(({ name }) => [name, Deno.readFileSync(`${path}/${name}`)]))

const BANK = Lora.bank({ slots: 1, rank: 4, targets: ["q_proj", "v_proj"] })

Deno.test("an adapter can go or be replaced while rows use it: they keep it, later ones do not", () =>
  inDirectory(async (directory) => {
    await writeAdapters(directory)
    await withModel(wasm({ threads: 1 }), (model) =>
      Effect.gen(function* () {
        const own = yield* engine(model, { adapters: BANK })
        const { adapters } = own
        yield* adapters.load("x", `${directory}/a`)
        const [text] = yield* textsOf(own, [{ adapter: "x" }])
        yield* adapters.load("other", `${directory}/b`)
        const [other] = yield* textsOf(own, [{ adapter: "other" }])
        const tokens: Array<number> = []
        const take = ({ token, logProbability }: NewToken) => tokens.push(token, logProbability!)
        own.insert(prompt(3), { ...OPTIONS, adapter: "x", onToken: take })
        // It waits for the one slot.
        own.insert(prompt(3), { ...OPTIONS, adapter: "other" })
        const step = Effect.promise(own.next)
        yield* step
        yield* adapters.load("x", `${directory}/b`, { replace: true })
        assertEquals(adapters.names, ["x", "other"])
        yield* adapters.unload("other")
        while ((yield* step).size > 0);
        assertEquals(tokens, text)
        assertEquals((yield* textsOf(own, [{ adapter: "x" }]))[0], other)
        const gone = assertThrows(() => own.insert(prompt(3), { ...OPTIONS, adapter: "other" }), AdapterError)
        assertEquals([gone.reason, gone.adapter], ["Unknown", "other"])
        assertStringIncludes(gone.message, 'no adapter "other"; there are x')
        assertEquals((yield* Effect.flip(adapters.unload("other"))).reason, "Unknown")
        // A row that is taken out frees its slot.
        const removed = own.insert(prompt(3), { maxNewTokens: 50, adapter: "x" })
        yield* step
        own.remove(removed)
        yield* adapters.load("y", `${directory}/a`)
        assertEquals((yield* textsOf(own, [{ adapter: "y" }]))[0], text)
      }))
  }))

Deno.test("a load that fails leaves the bank as it was; two of one name at once are an error", () =>
  inDirectory(async (directory) => {
    await writeAdapters(directory)
    const query = layerOf(0, "q_proj")
    const one = { r: 2, target_modules: ["0.self_attn.q_proj"] }
    const good = pair(query, QUERIES, 2, WIDTH, 1)
    const write = (name: string, config: object, tensors = good) =>
      writeAdapter(`${directory}/${name}`, { ...one, ...config }, tensors)
    const magnitude = { [`${query}.lora_magnitude_vector`]: random([QUERIES], 2) }
    await write("dora", { use_dora: true }, { ...good, ...magnitude })
    await write("bias", { bias: "all" })
    await write("pissa", { init_lora_weights: "pissa" })
    await write("biased", { lora_bias: true })
    await write("noted", { a_new_field: 3 })
    await write("rank", { r: 5 }, pair(query, QUERIES, 5, WIDTH, 1))
    await write("shapes", {}, pair(query, QUERIES + 8, 2, WIDTH, 1))
    await write("deeper", { target_modules: ["q_proj"] }, { ...good, ...pair(layerOf(2, "q_proj"), 24, 2, WIDTH, 1) })
    await write("down", { target_modules: ["0.mlp.down_proj"] }, pair("model.layers.0.mlp.down_proj", WIDTH, 2, 24, 1))
    await write("embedding", { target_modules: ["embed_tokens"] }, {
      "model.embed_tokens.lora_embedding_A": random([2, 32], 1),
      "model.embed_tokens.lora_embedding_B": random([WIDTH, 2], 2),
    })
    await write("head", { modules_to_save: ["lm_head"] }, { ...good, "lm_head.weight": random([32, WIDTH], 3) })
    await write("named", { base_model_name_or_path: "someone/other" })
    const broken = pair(query, QUERIES, 2, WIDTH, 1)
    Object.values(broken)[0].data[3] = NaN
    await write("broken", {}, broken)
    await write("short", {})
    await Deno.truncate(`${directory}/short/adapter_model.safetensors`, 100)
    const cases: ReadonlyArray<readonly [name: string, reason: AdapterError["reason"], message: string]> = [
      ["dora", "Unsupported", "use_dora is on: give the bank the option dora"],
      ["bias", "Unsupported", 'bias is "all"'],
      ["pissa", "Unsupported", 'init_lora_weights is "pissa"'],
      ["biased", "Unsupported", "lora_bias true is not known here"],
      ["rank", "Size", `its rank at "${query}" is 5, the bank's is 4`],
      ["shapes", "Base", "it was made for another base model"],
      ["deeper", "Base", "model.layers.2.self_attn.q_proj"],
      ["down", "Targets", "it adapts model.layers.0.mlp.down_proj; the bank has room for q_proj, v_proj"],
      ["embedding", "Targets", "it adapts model.embed_tokens"],
      ["head", "Targets", "it trained whole lm_head"],
      ["named", "Base", 'its base_model_name_or_path is "someone/other", the model\'s name is "my/base"'],
      ["broken", "Files", "holds NaN: its training failed, or its file is damaged"],
      ["short", "Files", "adapter_model.safetensors"],
      ["absent", "Files", "absent"],
    ]
    await withModel(wasm({ threads: 1 }), (model) =>
      Effect.gen(function* () {
        const bank = Lora.bank({ slots: 1, rank: 4, targets: ["q_proj", "v_proj"], base: ["my/base"] })
        const { adapters, insert } = yield* engine(model, { adapters: bank })
        yield* adapters.load("good", `${directory}/c`)
        for (const [name, reason, message] of cases) {
          const load = adapters.load(name, `${directory}/${name}`)
          const error = yield* Effect.flip(load).pipe(Effect.mapError(() => new Error(`${name} was loaded`)))
          assertEquals(error._tag, "AdapterError")
          assertEquals([error.reason, error.adapter], [reason, name], error.message)
          assertStringIncludes(error.message, message)
          assertStringIncludes(error.message, name)
          assertEquals(adapters.names, ["good"])
        }
        const [note] = yield* adapters.load("noted", readFiles(`${directory}/noted`))
        assertStringIncludes(note, "the field a_new_field 3 is not known here")
        yield* adapters.unload("noted")
        const files = { "adapter_config.json": new Uint8Array() }
        const missing = yield* Effect.flip(adapters.load("files", files))
        assertStringIncludes(missing.message, "its files lack the bytes of adapter_model.safetensors")
        const both = ["a", "b"].map((name) => Effect.result(adapters.load("twice", `${directory}/${name}`)))
        const [first, second] = yield* Effect.all(both, { concurrency: 2 })
        assert(Result.isSuccess(first) && Result.isFailure(second))
        assertEquals(second.failure.reason, "Taken")
        assertStringIncludes(second.failure.message, 'adapter "twice" is being loaded')
        const again = yield* Effect.flip(adapters.load("twice", `${directory}/a`))
        assertStringIncludes(again.message, 'adapter "twice" is loaded')
        assertThrows(() => insert(prompt(3), { ...OPTIONS, adapter: "dora" }), AdapterError, "there are good, twice")
        const plain = yield* engine(model)
        assertThrows(
          () => plain.insert(prompt(3), { ...OPTIONS, adapter: "a" }),
          AdapterError,
          "the model has no bank of adapters",
        )
      }))
    await withModel(wasm({ threads: 1 }), (model) =>
      Effect.gen(function* () {
        const wrong = [{ slots: 0 }, { ranks: 4 } as object, { targets: ["x_proj"] }]
        const errors = yield* Effect.all(
          wrong.map((options) => Effect.flip(engine(model, { adapters: Lora.bank(options) }))),
        )
        assertEquals(errors.map(({ _tag }) => _tag), ["ModelError", "PluginError", "PluginError"])
        for (const [i, part] of ["slots must", "ranks", '["x_proj"]'].entries()) {
          assertStringIncludes(errors[i].message, part)
        }
      }))
  }))
