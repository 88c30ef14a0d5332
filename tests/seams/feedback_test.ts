/**
 * A contribution that draws by feedback: half of each batch are the examples that had the greatest losses.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import type { Contribution, FinishedStep, Json, Step, Trainer, TrainEvent } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import { train } from "./language_model.ts"

const BATCH = 4
/** Rows in the order of the last loss that was seen of them, the greatest first; rows that were not seen come first. */
const hardFirst = (seen: Array<readonly [step: number, feedback: ReadonlyArray<number>]>): Contribution => ({
  id: "hard_first/default",
  requires: { perExampleLoss: true },
  batches: (next) => {
    const lengths = next.tasks.default
    let losses: ReadonlyArray<number | null> = Array.from(lengths, () => null)
    let count = 0
    return {
      ...next,
      steps: () => 5,
      next: (_, feedback) =>
        // Takes its time, as a source that reads or generates does.
        Effect.sleep("1 millis").pipe(Effect.map(() => {
          seen.push([++count, feedback.map(({ step }) => step)])
          const known = [...losses]
          for (const { examples = [] } of feedback) for (const { row, loss } of examples) known[row] = loss
          losses = known
          const order = [...known.keys()].sort((a, b) => (known[b] ?? Infinity) - (known[a] ?? Infinity) || a - b)
          const rows = order.slice(0, BATCH)
          const length = Math.max(...rows.map((row) => lengths[row]))
          return { microBatches: [{ task: "default", rows: Int32Array.from(rows), length }] }
        })),
      state: {
        save: () => ({ losses, count }),
        restore: (state: Json) => ({ losses, count } = state as { losses: typeof losses; count: number }),
      },
    }
  },
})

const options = { epochs: 2, batchSize: BATCH, learningRate: 0.01, saveEvery: 3 }
/** Trains for two epochs of five steps; `stopAt` interrupts the run after that step. */
const drawn = async (more: { readonly runFolder?: string; readonly resume?: boolean } = {}, stopAt = 0) => {
  const seen: Array<readonly [number, ReadonlyArray<number>]> = []
  const trained = await train(
    hardFirst(seen),
    { ...options, ...more },
    (event) => event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void,
  )
  return { ...trained, seen }
}

Deno.test("a contribution draws by the losses of finished steps, and a resumed run is the same run", async () => {
  const whole = await drawn()
  // Each step is seen once, by the second draw after its own.
  assertEquals(whole.seen, Array.from({ length: 10 }, (_, i) => [i + 1, i < 2 ? [] : [i - 1]]))
  const plain = whole.events.flatMap((event) => event.type === "step" ? [event.loss] : [])
  assertEquals(plain.length, 10)

  const folder = await Deno.makeTempDir()
  try {
    const runFolder = `${folder}/run`
    const first = await drawn({ runFolder }, 5)
    assert(first.events.some(({ type }) => type === "stop"))
    const checkpoints = Array.from(Deno.readDirSync(`${runFolder}/checkpoints`), ({ name }) => Number(name.slice(5)))
    const last = Math.max(...checkpoints)
    const state = JSON.parse(await Deno.readTextFile(`${runFolder}/checkpoints/step-${last}/trainer_state.json`))
    assertEquals(Object.keys(state.batches), ["hard_first/default"])
    assertEquals(state.batches["hard_first/default"].count, last)
    assertEquals((state.feedback as ReadonlyArray<FinishedStep>).map(({ step }) => step), [last - 1, last])
    assertEquals(state.feedback[0].examples.length, BATCH)
    const second = await drawn({ runFolder, resume: true })
    assertEquals(second.seen[0], [last + 1, [last - 1]])
    assertEquals(second.weights, whole.weights)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})

/** Whole batches of the first rows for two steps, then what is given. */
const ending = (then: Effect.Effect<Step | undefined, Error>): Contribution => ({
  id: "ending/default",
  batches: (next) => ({
    ...next,
    steps: () => Infinity,
    next: (position, feedback) => position.step < 2 ? next.next(position, feedback) : then,
  }),
})

Deno.test("a source that ends, ends the run; one that fails, fails it; one that waits can be interrupted", async () => {
  const events = async (then: Effect.Effect<Step | undefined, Error>, more: Trainer.TrainOptions = {}) => {
    const stop = (event: TrainEvent) => event.type === "step" && event.step === 2 ? interrupt : Effect.void
    const interrupt = then === Effect.never ? Effect.interrupt : Effect.void
    const { events } = await train(ending(then), { ...options, maxSteps: 6, ...more }, stop)
    return events
  }
  const ended = (await events(Effect.succeed(undefined))).at(-1)!
  assertEquals([ended.type, "step" in ended && ended.step, "reason" in ended && ended.reason], ["stop", 2, "finished"])
  const failed = await events(Effect.fail(new Error("the network is gone"))).catch((error) => error)
  assertEquals([failed._tag, failed.reason], ["TrainingError", "Batches"])
  assertStringIncludes(failed.message, "step 3: the source of batches failed: the network is gone")
  const runFolder = `${await Deno.makeTempDir()}/run`
  const waiting = await events(Effect.never, { runFolder, saveEvery: "never" })
  assertEquals(waiting.slice(-2).map(({ type }) => type), ["checkpoint", "stop"])
  await Deno.remove(runFolder, { recursive: true })
  const endless = await train(ending(Effect.succeed(undefined)), options).catch((error) => error)
  assertStringIncludes(endless.message, "an epoch of these batches has no end: set maxSteps")
})
