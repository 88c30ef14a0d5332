/**
 * The LoRA step on Espalier, its wasm backend: on the model, adapter and batch that peers/peft_step.py made.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { MASKED } from "../../../core/data/encode.ts"
import { layer as familiesLayer } from "../../../core/model/families.ts"
import { load } from "../../../core/model/model.ts"
import { Task } from "../../../core/model/task.ts"
import { adamW } from "../../../core/training/adamw.ts"
import { perToken } from "../../../core/training/objectives.ts"
import { makeStepper } from "../../../core/training/stepper.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { serve } from "../small_step.ts"

const [directory] = Deno.args
const [{ inputIds }]: [{ inputIds: Array<Array<number>> }] = JSON.parse(
  await Deno.readTextFile(`${directory}/batches.json`),
)
const rows = inputIds.length, tokens = inputIds[0].length

const program = Effect.gen(function* () {
  const model = yield* load(`${directory}/model`, { task: Task.causalLM() })
  const parameters = new Map(model.parameters.map(({ key, tensor }) => [key, tensor]))
  const stepper = makeStepper(model.backend, {
    forward: model.forward,
    parameter: (key) => parameters.get(key)!,
    trained: model.parameters.filter(({ trainable }) => trainable),
    labels: "token",
    objective: perToken,
    contributions: model.contributions,
    optimizer: adamW(),
    weightDecay: 0,
    maxGradNorm: 0,
  }, { seed: 0, tasks: ["default"] })
  const batches = [{
    task: "default",
    shape: [rows, tokens] as const,
    tokens: Int32Array.from(inputIds.flat()),
    lengths: new Int32Array(rows).fill(tokens),
    exampleWeight: new Float32Array(rows).fill(1),
    targets: Int32Array.from(inputIds.flatMap((row) => [...row.slice(1), MASKED])),
    rows: Int32Array.from({ length: rows }, (_, row) => row),
    trainedCount: rows * (tokens - 1),
  }]
  let step = 0
  yield* Effect.promise(() =>
    serve(async () => {
      step++
      const { result } = await stepper.post({ step, learningRate: 1e-3, batches })
      return (await result).loss
    })
  )
})

const platform = Layer.mergeAll(Wasm.layer(), pluginsLayer, familiesLayer, NodeFileSystem.layer)
const all = Layer.mergeAll(Lora.fromPeft(`${directory}/adapter`), Llama.layer).pipe(Layer.provideMerge(platform))
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
