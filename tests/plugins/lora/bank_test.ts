/**
 * Banks of adapters: rows of one batch through adapters that were loaded while it runs.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { type Engine, engine, load, type Model, type RowOptions } from "../../../core/inference/mod.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { distance, fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { pair, writeAdapter } from "./adapters.ts"

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

const prompt = (length: number) => Int32Array.from({ length }, (_, i) => (7 * length + 5 * i + 3) % 32)
const OPTIONS: RowOptions = { maxNewTokens: 6, logProbabilities: true }

/** Log-probabilities of each row's tokens. */
const textsOf = ({ insert, next }: Engine, rows: ReadonlyArray<RowOptions>) =>
  Effect.promise(async () => {
    const made = new Map(rows.map((row, i) => [insert(prompt(3 + i), { ...OPTIONS, ...row }), [] as Array<number>]))
    for (let open = made.size; open > 0;) {
      for (const [id, { token, logProbability, finished }] of await next()) {
        made.get(id)!.push(token, logProbability!)
        if (finished) open--
      }
    }
    return [...made.values()]
  })

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
