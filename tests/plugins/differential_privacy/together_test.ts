/**
 * Privacy over methods that train parameters, with a run's noise beside what it must measure.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { Trainer, TrainEvent } from "@espalier/espalier"
import * as Adapters from "@espalier/espalier/adapters"
import * as PrefixTuning from "@espalier/espalier/prefix-tuning"
import * as PromptTuning from "@espalier/espalier/prompt-tuning"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Layer from "effect/Layer"
import { data, lora, type Methods, privacy, registered, train } from "./support.ts"

const erased = (layer: unknown) => (layer as Layer.Layer<unknown>).pipe(Layer.provide(NodeFileSystem.layer)) as unknown
const methods: Readonly<Record<string, Methods>> = {
  "LoRA": lora,
  "a bottleneck adapter": erased(Adapters.layer({ name: "own" })) as Methods,
  "prompt tuning": erased(PromptTuning.layer({ numVirtualTokens: 3 })) as Methods,
  "prefix tuning": erased(PrefixTuning.layer({ numVirtualTokens: 2 })) as Methods,
  "norms alone": registered({ id: "norms/default", trains: ({ path }) => path.endsWith("norm") }),
  "all parameters": Layer.empty,
}
const dp = privacy({ noiseMultiplier: 2, maxGradNorm: 0.5, delta: 1e-3, accountant: "rdp" })

/** The gradient of an empty step is noise alone. */
function isNoise(events: ReadonlyArray<TrainEvent>, { trainableParameters }: Trainer.Run, variance: number): void {
  const empty = events.flatMap((event) => event.type === "step" && event.loss === 0 ? event.gradientNorm : [])
  assert(empty.length > 0, "no step is empty")
  const numbers = trainableParameters * empty.length
  const square = empty.reduce((sum, norm) => sum + norm ** 2, 0) / variance
  assert(Math.abs(square - numbers) < 6 * Math.sqrt(2 * numbers), `${square} of ${numbers} numbers`)
}

for (const [name, method] of Object.entries(methods)) {
  Deno.test(`noise on every trained parameter: ${name}`, async () => {
    const { events, run } = await train(Layer.mergeAll(method, dp), { maxSteps: 30, batchSize: 1, maxGradNorm: 0 })
    assertEquals([run.steps, run.reason], [30, "finished"])
    // A standard deviation of 2 * 0.5 / 1.
    isNoise(events, run, 1)
  })
}

Deno.test("of two tasks, each has noise of its own", async () => {
  const options = { maxSteps: 30, batchSize: 1, maxGradNorm: 0 }
  const { events, run } = await train(Layer.mergeAll(lora, dp), options, { splits: { train: { a: data, b: data } } })
  assertEquals(run.steps, 30)
  // The mean of two tasks' gradients: half the variance.
  isNoise(events, run, 1 / 2)
})
