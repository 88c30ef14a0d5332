import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { type Batch, collate } from "../../../core/data/batches/batches.ts"
import type { Example } from "../../../core/data/encode.ts"
import { packRow } from "../../../core/data/batches/packed_row.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeSession, type Session } from "../../../core/training/session.ts"
import type { SessionOptions } from "../../../core/training/step/session_options.ts"
import { TrainingError } from "../../../core/training/training_error.ts"
import { run } from "../../support/model_layer.ts"
import { classifier, languageModel, singleBackend, weightsOf } from "./support.ts"

const classes = Task.classification(["food", "sky"])
const texts = [[5, 9, 2, 7], [3, 8], [11, 4, 6]].map((tokens) => Int32Array.from(tokens))
const labeled: ReadonlyArray<Example> = texts.map((tokens, i) => ({
  tokens,
  fields: { labels: [i % 2] },
  index: i,
  row: i + 1,
}))
const plain: ReadonlyArray<Example> = texts.map((tokens, i) => ({
  tokens,
  fields: { labels: [...tokens.subarray(1), -100] },
  index: i,
  row: i + 1,
}))
const micro = { task: "default", rows: Int32Array.of(2, 0, -1, 1), length: 4 }
const batches: ReadonlyArray<Batch> = [collate(labeled, micro, classes)]

const withSession = <A>(
  use: (session: Session) => Promise<A>,
  { options = {}, making = classifier(), contribution }: {
    readonly options?: SessionOptions
    readonly making?: typeof languageModel extends () => infer E ? E : never
    readonly contribution?: Omit<Contribution, "id">
  } = {},
): Promise<A> => {
  const plugin = contribution === undefined
    ? Layer.empty
    : Layer.effectDiscard(Effect.flatMap(Plugins, ({ register }) => register({ id: "test/one", ...contribution })))
  return run(
    Effect.flatMap(making, (model) =>
      Effect.promise(async () => {
        const session = await makeSession(model, options)
        try {
          return await use(session)
        } finally {
          await session.dispose()
        }
      })),
    plugin as Layer.Layer<never>,
  )
}

Deno.test("two steps are under way: a result comes with the posting of the next, feedback one step later", async () => {
  await withSession(async (session) => {
    const numbers = async (work: ReturnType<Session["post"]>) => (await work).map(({ step }) => step)
    assertEquals(await numbers(session.post({ batches }, 0.01)), [])
    assertEquals(session.feedback(), [])
    assertEquals(await numbers(session.post({ batches }, 0.01)), [1])
    assertEquals(session.feedback().map(({ step }) => step), [1])
    assertEquals(await numbers(session.drain()), [2])
    // Finished, but posted last: a resumed run must not see more than one that went on.
    assertEquals(session.feedback().map(({ step }) => step), [1])
    assertEquals(session.state().feedback.map(({ step }) => step), [1, 2])
    assertEquals(await numbers(session.post({ batches }, 0.01)), [])
    assertEquals(session.feedback().map(({ step }) => step), [2])
  })
})

Deno.test("a snapshot goes into another session of the model, which goes on from it", async () => {
  await run(
    Effect.flatMap(classifier(), (model) =>
      Effect.promise(async () => {
        const options = { seed: 3, weightDecay: 0.1 }
        const steps = async (session: Session, count: number) => {
          for (let i = 0; i < count; i++) await session.post({ batches }, 0.01)
          return await session.drain()
        }
        const first = await makeSession(model, options)
        await steps(first, 2)
        const snapshot = structuredClone(await first.snapshot())
        const [last] = await steps(first, 1)
        const weights = await weightsOf(model)
        await first.dispose()
        const second = await makeSession(model, options)
        await second.restore(snapshot)
        assertEquals(await steps(second, 1), [last])
        assertEquals(await weightsOf(model), weights)
        const rejected = (values: Readonly<Record<string, Float32Array>>) =>
          assertRejects(() => second.restore({ ...snapshot, values }), TrainingError)
        assertStringIncludes((await rejected({ other: Float32Array.of(1) })).message, 'has values of "other"')
        const { name, slot } = second.slots[0]
        const size = slot.shape.reduce((a, b) => a * b, 1)
        assertStringIncludes((await rejected({ [name]: Float32Array.of(1) })).message, `instead of ${size}`)
        await second.dispose()
      })),
    Layer.empty as unknown as Layer.Layer<never>,
    singleBackend(),
  )
})

Deno.test("losses by example add up to the step's, in a fused step and over micro-batches", async () => {
  for (
    const [making, examples, task] of [[classifier(), labeled, classes], [
      languageModel(),
      plain,
      Task.causalLM(),
    ]] as const
  ) {
    const parts = [Int32Array.of(0, -1), Int32Array.of(2, 1)].map((rows) => collate(examples, { ...micro, rows }, task))
    for (const own of [[collate(examples, micro, task)], parts]) {
      const [result] = await withSession(async (session) => [
        ...await session.post({ batches: own }, 0),
        ...await session.drain(),
      ], { making, options: { exampleLosses: true } })
      const terms = (row: number) => examples === plain ? texts[row].length - 1 : 1
      const sum = result.examples!.reduce((sum, { row, loss }) => sum + loss * terms(row), 0)
      assertEquals(result.examples!.map(({ row }) => row).sort(), [0, 1, 2])
      assert(Math.abs(sum / result.weight - result.loss) < 1e-6, `${sum / result.weight} is not ${result.loss}`)
    }
  }
})

Deno.test("what a session cannot do is refused", async () => {
  const refused = async (use: (session: Session) => Promise<unknown>, more: Parameters<typeof withSession>[1] = {}) =>
    (await assertRejects(() => withSession(use, more))).message
  const nothing = () => Promise.resolve()
  assertStringIncludes(await refused((session) => session.post({ batches }, NaN)), "rate must be a finite number")
  const other = [{ ...batches[0], task: "other" }]
  assertStringIncludes(await refused((session) => session.post({ batches: other }, 1)), 'the task "other"; there are')
  assertStringIncludes(
    await refused(async (session) => {
      await session.post({ batches }, 1)
      await session.snapshot()
    }),
    "drain the session first",
  )
  assertStringIncludes(await refused(nothing, { options: { seed: -1 } }), "seed must be a whole number from 0, got -1")
  assertStringIncludes(await refused(nothing, { options: { maxGradNorm: NaN } }), "maxGradNorm must be a number from 0")
  assertStringIncludes(await refused(nothing, { options: { tasks: [] } }), "tasks must name one task or more")
  const constant = { requires: { constantDivisor: true } }
  assertStringIncludes(await refused(nothing, { contribution: constant }), "test/one divides by a constant")
  const packed = [packRow(plain, micro, 4, Task.causalLM())]
  const byExample = { making: languageModel(), options: { exampleLosses: true } }
  assertStringIncludes(await refused((session) => session.post({ batches: packed }, 1), byExample), "need padded rows")
})
