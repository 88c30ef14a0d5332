import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { layerWith } from "../../../core/training/espalier.ts"
import { fit } from "../../../core/training/fit.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import { failure, run } from "../../support/model_layer.ts"
import { classifier, texts, tokenizer, weightsOf } from "./support.ts"

const options = { epochs: 3, learningRate: 1e-2, batchSize: 4, gradientAccumulationSteps: 2, tokenizer }

/** Trains a fresh classifier on two threads: its weights, and the losses and messages of the run. */
const train = (own: TrainOptions) => {
  const events: TrainEvent[] = []
  const observe = (event: TrainEvent) => Effect.sync(() => void events.push(event))
  const program = Effect.gen(function* () {
    const model = yield* classifier()
    yield* fit(model, { train: texts(24) }, { ...options, observe, ...own })
    return yield* Effect.promise(() => weightsOf(model))
  })
  const services = Llama.layer.pipe(Layer.provideMerge(layerWith({ backend: "wasm", wasm: { threads: 2 } })))
  return Effect.scoped(program).pipe(
    Effect.provide(services, { local: true }),
    Effect.map((weights) => ({
      weights,
      losses: events.flatMap((event) => event.type === "step" ? [event.loss] : []),
      messages: events.flatMap((event) => event.type === "message" ? [event.text] : []),
    })),
    Effect.runPromise,
  )
}

Deno.test("a traced run gives the same weights bit for bit, a table and a trace", async () => {
  const directory = await Deno.makeTempDir()
  const [first, second] = ["first", "second"].map((name) => `${directory}/${name}`)
  try {
    const plain = await train({ maxSteps: 9, runFolder: first })
    const traced = await train({ maxSteps: 9, runFolder: second, traceStep: 5 })
    assertEquals(traced.weights, plain.weights)
    assertEquals(traced.losses, plain.losses)
    assertEquals([plain.messages, traced.messages.length], [[], 1])
    const [table] = traced.messages
    for (const part of ["matmul", "all kernels", "the rest", `${second}/trace.json`]) assertStringIncludes(table, part)
    const share = Number(/all kernels.* (\d+\.\d) %/.exec(table)![1])
    assert(share > 0 && share <= 100, table)

    const { traceEvents } = JSON.parse(Deno.readTextFileSync(`${second}/trace.json`)) as {
      traceEvents: ReadonlyArray<{ name: string; cat?: string; tid: number; ts: number; dur: number }>
    }
    // A step of two micro-batches and their application, on two threads.
    assertEquals(traceEvents.filter(({ cat }) => cat === "program").map(({ name }) => name), [
      "accumulate",
      "accumulate",
      "apply",
    ])
    assertEquals(new Set(traceEvents.flatMap(({ cat, tid }) => cat === "call" ? [tid] : [])), new Set([1, 2]))
    assert(traceEvents.every(({ cat, dur }) => cat !== "call" || dur >= 0))

    // What is traced has no part in the outcome: the same run, as far as a resume is concerned.
    const [config, other] = [first, second].map((folder) => Deno.readTextFileSync(`${folder}/config.json`))
    assertEquals(config, other)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("the last step is traced where the run ends before", async () => {
  const { messages } = await train({ maxSteps: 2, traceStep: 10, gradientAccumulationSteps: 1 })
  assert(messages[0].startsWith("step 2, "), messages[0])
})

Deno.test("a backend without a clock says so; a step that is none is refused", async () => {
  const texts24 = { train: texts(24) }
  const messages: string[] = []
  const observe = (event: TrainEvent) =>
    Effect.sync(() => void (event.type === "message" && messages.push(`${event.level}: ${event.text}`)))
  await run(Effect.gen(function* () {
    yield* fit(yield* classifier(), texts24, { ...options, maxSteps: 1, traceStep: 1, observe })
  }))
  assertEquals(messages, ["warning: no trace: float64 references has no clock for its kernels"])
  const error = await failure(Effect.gen(function* () {
    yield* fit(yield* classifier(), texts24, { ...options, traceStep: 0 })
  }))
  assertStringIncludes(error.message, "traceStep must be a whole number from 1, got 0")
})
