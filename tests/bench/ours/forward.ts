/**
 * `forward.ts directory what`: a forward pass of the model and the batch that peers/peft_step.py made, with methods as
 * `what` says: `plain`, `prefix` (of 16 places), or the number of different adapters that the rows of the batch go through.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { chooseByRow, load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { choiceInput } from "../../../core/training/evaluate.ts"
import { batchInputs } from "../../../core/data/batches/batch_inputs.ts"
import { ready } from "../../../core/backend/ready.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { serve } from "../serve.ts"

const [directory, what] = Deno.args
const { inputIds }: { readonly inputIds: ReadonlyArray<ReadonlyArray<number>> } = JSON.parse(
  await Deno.readTextFile(`${directory}/batches.json`),
)
const rows = inputIds.length, tokens = inputIds[0].length
const names = Array.from({ length: Number(what) || 0 }, (_, i) => `adapter-${i}`)

type Method = Layer.Layer<never, unknown, Plugins>
const lora = (name: string) => Lora.layer({ name, r: 8, initLoraWeights: false }) as unknown as Method
const methods = what === "prefix"
  ? [PrefixTuning.layer({ numVirtualTokens: 16 }) as unknown as Method]
  : names.map(lora)

const program = Effect.gen(function* () {
  const model = yield* load(`${directory}/model`, { task: Task.maskedLM() })
  const choice = names.length < 2
    ? undefined
    : chooseByRow(model, Array.from({ length: rows }, (_, row) => `lora/${names[row % names.length]}`))
  const batch = batchInputs("default", rows, tokens, model.task)
  const { hidden } = model.forward(batch, { training: false, ...choiceInput(choice?.plugins, rows) })
  const graph = { name: "forward", outputs: { hidden }, updates: [] }
  const { run } = yield* Effect.promise(() => ready(model.backend, graph))
  const inputs = {
    tokens: Int32Array.from(inputIds.flat()),
    lengths: new Int32Array(rows).fill(tokens),
    ...(choice === undefined ? {} : { choice: choice.index }),
  }
  yield* Effect.promise(() => serve(async () => (await run(inputs)).hidden[0]))
})

const platform = Layer.mergeAll(Wasm.layer({ threads: 2 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
const all = methods.reduce(
  (layers, method) => Layer.merge(layers, method),
  Bert.layer as Layer.Layer<never, unknown, never>,
)
await Effect.runPromise(
  Effect.scoped(program).pipe(Effect.provide(all.pipe(Layer.provideMerge(platform)))) as Effect.Effect<void>,
)
