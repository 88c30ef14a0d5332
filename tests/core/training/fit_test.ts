import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { Backend } from "../../../core/backend/backend.ts"
import type { LabeledData } from "../../../core/tasks/dataset/dataset.ts"
import { evaluate, predict } from "../../../core/training/evaluate.ts"
import { fit } from "../../../core/training/fit.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import { adamW } from "../../../core/training/optimizers/adamw.ts"
import { sgd } from "../../../core/training/optimizers/sgd.ts"
import { stream } from "../../../core/training/loop/stream.ts"
import { add, equal, mul, sub } from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { failure, run } from "../../support/model_layer.ts"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { classifier, config, languageModel, plainTexts, singleBackend, texts, tokenizer, weightsOf } from "./support.ts"

const rowsOf = (data: LabeledData, from: number, to: number): LabeledData => ({
  ...data,
  rows: data.rows.slice(from, to),
})
const data = { train: rowsOf(texts(36), 0, 24), validation: rowsOf(texts(36), 24, 36) }

/** Keeps the events of a run. */
const recorder = () => {
  const events: TrainEvent[] = []
  return { events, observe: (event: TrainEvent) => Effect.sync(() => void events.push(event)) }
}

const contribution = (value: Omit<Contribution, "id">) =>
  Layer.effectDiscard(Effect.flatMap(Plugins, (plugins) => plugins.register({ id: "test/one", ...value })))

/** Weights after training a fresh classifier. */
const trained = (
  options: TrainOptions,
  own: Parameters<typeof fit>[1] = { train: data.train },
  backend = memoryBackend(),
  plugins = Layer.empty as unknown as ReturnType<typeof contribution>,
) =>
  run(
    Effect.gen(function* () {
      const model = yield* classifier()
      yield* fit(model, own, { tokenizer, ...options })
      return yield* Effect.promise(() => weightsOf(model))
    }),
    plugins,
    backend,
  )

/** |a - b| / |b - c| */
function relative(a: Float32Array, b: Float32Array, c: Float32Array): number {
  const norm = (x: Float32Array, y: Float32Array) =>
    Math.sqrt(x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0))
  return norm(a, b) / norm(b, c)
}

Deno.test("a classifier learns, is judged and predicts", async () => {
  const { events, observe } = recorder()
  const { before, after, said } = await run(Effect.gen(function* () {
    const model = yield* classifier()
    const before = yield* evaluate(model, data.validation, { tokenizer })
    yield* fit(model, data, { epochs: 3, learningRate: 1e-2, tokenizer, observe })
    const after = yield* evaluate(model, data.validation, { tokenizer, batchSize: 5 })
    return { before, after, said: yield* predict(model, ["sun moon star", "bread milk salt"], { tokenizer }) }
  }))
  assert(after.metrics.loss < 0.5 * before.metrics.loss)
  assertEquals(after.metrics.accuracy, 1)
  assertEquals(after.classification?.confusion, [[6, 0], [0, 6]])
  assertEquals(after.predictions.map(({ text }) => text), data.validation.rows.map(({ text }) => text))
  assertEquals(said.map(({ label }) => label), ["sky", "food"])
  const steps = events.filter((event) => event.type === "step")
  assertEquals(steps.map(({ step }) => step), [1, 2, 3, 4, 5, 6, 7, 8, 9])
  assertEquals(events.filter((event) => event.type === "evaluation").map(({ step }) => step), [3, 6, 9])
  assertEquals([events[0].type, events.at(-1)?.type], ["start", "stop"])
})

Deno.test("a language model learns packed texts", async () => {
  const losses = await run(Effect.gen(function* () {
    const model = yield* languageModel()
    const { events, observe } = recorder()
    const options = { maxSteps: 12, learningRate: 1e-2, packing: true, maxLength: 16, batchSize: 4, tokenizer, observe }
    yield* fit(model, { train: plainTexts(40), validation: plainTexts(10) }, options)
    return events.flatMap((event) => event.type === "evaluation" ? [event.metrics.loss] : [])
  }))
  assert(losses.at(-1)! < 0.9 * losses[0], `${losses}`)
})

Deno.test("a batch of 8 once and of 1 eight times give the same gradient", async () => {
  // One step of plain descent moves the weights along the gradient.
  const options = { optimizer: sgd(), learningRate: 1, schedule: "constant", maxGradNorm: 0, maxSteps: 1 } as const
  for (const [batchSize, steps] of [[8, 1], [2, 4], [1, 8]] as const) {
    const own = { train: rowsOf(data.train, 0, 8) }
    const start = await trained({ ...options, learningRate: 0 }, own)
    const whole = await trained({ ...options, batchSize: 8 }, own)
    const parts = await trained({ ...options, batchSize, gradientAccumulationSteps: steps }, own)
    assertNotEquals(whole, start)
    assert(relative(parts, whole, start) < 1e-6, `${batchSize}x${steps}`)
  }
})

Deno.test("tokens weigh the same in every batch", async () => {
  const own = { train: { ...plainTexts(8), rows: plainTexts(8).rows } }
  const weights = (batchSize: number, learningRate: number) =>
    run(Effect.gen(function* () {
      const model = yield* languageModel()
      const gradientAccumulationSteps = 8 / batchSize
      const options = { optimizer: sgd(), schedule: "constant", maxGradNorm: 0, maxSteps: 1, tokenizer } as const
      yield* fit(model, own, { ...options, learningRate, batchSize, gradientAccumulationSteps })
      return yield* Effect.promise(() => weightsOf(model))
    }))
  const [start, whole, parts] = [await weights(8, 0), await weights(8, 1), await weights(1, 1)]
  assert(relative(parts, whole, start) < 1e-6)
})

Deno.test("an empty step changes nothing under plain descent and is no error", async () => {
  const empty = contribution({
    batches: (next) => ({ ...next, steps: () => 2, next: () => Effect.succeed({ microBatches: [] }) }),
  })
  const [before, after] = await run(
    Effect.gen(function* () {
      const model = yield* classifier()
      const before = yield* Effect.promise(() => weightsOf(model))
      yield* fit(model, { train: data.train }, { epochs: 1, optimizer: "sgd", tokenizer })
      return [before, yield* Effect.promise(() => weightsOf(model))]
    }),
    empty,
  )
  assertEquals(after, before)
})

for (
  const { earlyStopping, ends } of [
    { earlyStopping: { patience: 2 }, ends: "early-stopping" },
    { earlyStopping: {}, ends: "finished" },
  ]
) {
  Deno.test(`early stopping restores the best weights: ${JSON.stringify(earlyStopping)}`, async () => {
    const { result, best, last, evaluations, reason } = await run(Effect.gen(function* () {
      const model = yield* classifier()
      const { events, observe } = recorder()
      // A rate that wrecks the model after the first steps.
      const run = yield* fit(model, data, {
        epochs: 20,
        learningRate: 0.3,
        schedule: "constant",
        earlyStopping,
        paddingFree: false,
        tokenizer,
        observe,
      })
      const losses = events.flatMap((event) => event.type === "evaluation" ? [event.metrics.loss] : [])
      const { metrics } = yield* evaluate(model, data.validation, { tokenizer })
      const evaluations = losses.length
      return { result: metrics.loss, best: Math.min(...losses), last: losses.at(-1)!, evaluations, reason: run.reason }
    }))
    assertEquals(reason, ends)
    assertEquals(evaluations === 20, ends === "finished")
    assertEquals(result, best)
    assert(last > best)
  })
}

Deno.test("a run from a checkpoint ends as one that was never stopped", async () => {
  const directory = await Deno.makeTempDir()
  const options = {
    epochs: 4,
    learningRate: 1e-2,
    batchSize: 6,
    tokenizer,
    saveEvery: 3,
    earlyStopping: { patience: 9 },
  }
  const whole = await trained(options, data, singleBackend())
  const stopAt = (step: number, resume: boolean, stopped: number | undefined) =>
    run(
      Effect.gen(function* () {
        const model = yield* classifier(resume ? 7 : 1)
        const { events, observe } = recorder()
        const fiber = yield* Effect.forkChild(fit(model, data, {
          ...options,
          runFolder: `${directory}/run`,
          resume,
          observe: (event) =>
            Effect.andThen(observe(event), event.type === "step" && event.step === step ? Effect.never : Effect.void),
        }))
        if (stopped === undefined) yield* Fiber.join(fiber)
        else {
          while (!events.some((event) => event.type === "step" && event.step === step)) yield* Effect.sleep("5 millis")
          yield* Fiber.interrupt(fiber)
        }
        return { events, weights: yield* Effect.promise(() => weightsOf(model)) }
      }),
      Layer.empty as unknown as Layer.Layer<never>,
      singleBackend(),
    )
  try {
    const first = await stopAt(5, false, 5)
    assertEquals(first.events.at(-1), { ...first.events.at(-1)!, type: "stop", reason: "interrupted" } as TrainEvent)
    const second = await stopAt(-1, true, undefined)
    const start = second.events[0]
    assert(start.type === "start" && start.resumedFrom !== undefined && start.resumedFrom >= 5)
    assertEquals(second.weights, whole)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a resumed run has the settings of the optimizer that it began with", async () => {
  const directory = await Deno.makeTempDir()
  const train = (options: TrainOptions, resume: boolean) =>
    Effect.flatMap(
      classifier(),
      (model) =>
        fit(model, { train: data.train }, { maxSteps: 2, tokenizer, runFolder: directory, resume, ...options }),
    )
  const changes: ReadonlyArray<readonly [begun: TrainOptions, resumed: TrainOptions, named: string]> = [
    [{}, { optimizer: adamW({ betas: [0.9, 0.99] }) }, "optimizerSettings.betas.1 (was 0.999, is 0.99)"],
    [{}, { optimizer: adamW({ epsilon: 1e-6 }) }, "optimizerSettings.epsilon (was 1e-8, is 0.000001)"],
    [{}, { weightDecay: 0.1 }, "weightDecay (was 0, is 0.1)"],
    [{ optimizer: sgd() }, { optimizer: sgd({ momentum: 0.5 }) }, "optimizerSettings.momentum (was 0, is 0.5)"],
  ]
  try {
    for (const [begun, resumed, named] of changes) {
      await run(train(begun, false))
      const { reason, message } = await failure(train(resumed, true))
      assertEquals(reason, "ConfigDiffers")
      assertStringIncludes(message, `differs in training.${named}`)
      await run(train({ ...begun, ...(begun.optimizer === undefined ? { optimizer: adamW() } : {}) }, true))
      for (const { name } of Deno.readDirSync(directory)) Deno.removeSync(`${directory}/${name}`, { recursive: true })
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a resumed run has the options of its methods, of the same shapes too", async () => {
  const directory = await Deno.makeTempDir()
  const train = (resume: boolean) =>
    Effect.flatMap(
      classifier(),
      (model) => fit(model, { train: data.train }, { maxSteps: 2, tokenizer, runFolder: directory, resume }),
    )
  const lora = (loraAlpha: number) => Lora.layer({ r: 2, loraAlpha, targetModules: ["q_proj"] })
  try {
    await run(train(false), lora(4))
    const { message } = await failure(train(true), lora(8))
    assertStringIncludes(message, "configuration differs in settings.lora/default.loraAlpha (was 4, is 8)")
    await run(train(true), lora(4))
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a run that cannot teach anything is refused before any work", async () => {
  const refuse = (options: TrainOptions, own: Parameters<typeof fit>[1] = data) =>
    failure(Effect.flatMap(classifier(), (model) => fit(model, own, { tokenizer, ...options })))
  assertStringIncludes((await refuse({ epochs: -1 })).message, "epochs must be a whole number from 1, got -1")
  assertStringIncludes(
    (await refuse({ learnRate: 1 } as TrainOptions)).message,
    `unknown option "learnRate"; the nearest known one is "learningRate"`,
  )
  assertStringIncludes(
    (await refuse({}, { train: plainTexts(4) })).message,
    "it holds text data, but the model's task is classification",
  )
  assertStringIncludes((await refuse({ maxLength: 900 })).message, "the model has 32 positions")
  assertStringIncludes((await refuse({ earlyStopping: { patience: 1, metric: "f2" } })).message, `"f2"`)
  assertStringIncludes(
    (await refuse({ earlyStopping: { patience: 1 } }, { train: data.train })).message,
    "earlyStopping needs a validation split with rows",
  )
  assertStringIncludes(
    (await refuse({ earlyStopping: { patience: 1 }, evaluateEvery: "never" })).message,
    'evaluateEvery is "never"',
  )
  assertEquals((await refuse({}, { train: rowsOf(data.train, 0, 0) })).reason, "Options")
  const frozen = contribution({ trains: () => false })
  const nothing = await failure(
    Effect.flatMap(languageModel(), (model) => fit(model, { train: plainTexts(4) }, { tokenizer })),
    frozen,
  )
  assertEquals(nothing.reason, "NothingTrains")
})

Deno.test("a loss that is not finite names its step and leaves the weights as they were", async () => {
  const exploding = contribution({
    objective: { wrap: (next) => (context) => ({ ...next(context), loss: mul(next(context).loss, Infinity) }) },
  })
  const [before, after, error] = await run(
    Effect.gen(function* () {
      const model = yield* classifier()
      const before = yield* Effect.promise(() => weightsOf(model))
      const error = yield* Effect.flip(fit(model, { train: data.train }, { tokenizer }))
      return [before, yield* Effect.promise(() => weightsOf(model)), error] as const
    }),
    exploding,
  )
  assertEquals((error as { reason?: string }).reason, "NotFinite")
  assertStringIncludes(error.message, "step 1: the loss is")
  assertEquals(after, before)
})

Deno.test("a loss that is not finite names the last good checkpoint, which stays", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const backend = memoryBackend()
    let steps = 0
    const failing: MemoryBackend = {
      ...backend,
      compile: async (program) => {
        const executable = await backend.compile(program)
        return {
          ...executable,
          run: async (inputs) => {
            const outputs = await executable.run(inputs)
            return ++steps === 2 ? { ...outputs, loss: Float32Array.of(NaN) } : outputs
          },
        }
      },
    }
    const error = await failure(
      Effect.flatMap(
        classifier(),
        (model) => fit(model, { train: data.train }, { saveEvery: 1, tokenizer, runFolder: `${directory}/run` }),
      ),
      undefined,
      failing,
    )
    assertEquals(error.reason, "NotFinite")
    const good = `${directory}/run/checkpoints/step-1`
    assertStringIncludes(error.message, "step 2: the loss is")
    assertStringIncludes(error.message, `the last good checkpoint is ${good}`)
    assertEquals((error as { checkpoint?: string }).checkpoint, good)
    await Deno.stat(`${good}/state.safetensors`)
    const events = Deno.readTextFileSync(`${directory}/run/events.jsonl`).trim().split("\n").map((line) =>
      JSON.parse(line)
    )
    assertEquals(events.map(({ type }) => type), ["start", "step", "checkpoint", "stop"])
    assertEquals(events.at(-1).reason, "failed")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("gradients of exactly zero stop the run", async () => {
  const dead = contribution({
    objective: {
      wrap: (next) => (context) => {
        const { weight } = next(context)
        return { loss: mul(weight, 3), weight }
      },
    },
  })
  const error = await failure(Effect.flatMap(classifier(), (model) => fit(model, data, { tokenizer })), dead)
  assertEquals(error.reason, "ZeroGradient")
})

Deno.test("per-example gradients that are only summed train the same model", async () => {
  const example = contribution({ gradients: { example: (gradients) => gradients } })
  const weights = (layer?: typeof example) =>
    run(
      Effect.gen(function* () {
        const model = yield* classifier()
        yield* fit(model, { train: data.train }, { epochs: 1, tokenizer, paddingFree: false })
        return yield* Effect.promise(() => weightsOf(model))
      }),
      layer,
    )
  const [plain, apart] = [await weights(), await weights(example)]
  assert(Math.max(...plain.map((value, i) => Math.abs(value - apart[i]))) < 1e-6)
})

Deno.test("tasks have the same part in a step, whatever their sizes", async () => {
  const options = {
    optimizer: sgd(),
    schedule: "constant",
    maxGradNorm: 0,
    maxSteps: 1,
    batchSize: 16,
    learningRate: 1,
  } as const
  const first = rowsOf(data.train, 0, 10)
  const second = rowsOf(data.train, 10, 13)
  const start = await trained({ ...options, learningRate: 0 })
  const [a, b] = [await trained(options, { train: first }), await trained(options, { train: second })]
  const together = contribution({
    batches: (next) => ({
      ...next,
      next: () =>
        Effect.succeed({
          microBatches: Object.entries(next.tasks).map(([task, lengths]) => ({
            task,
            rows: Int32Array.from(lengths.keys()),
            length: Math.max(...lengths),
          })),
        }),
    }),
  })
  const both = await trained(options, { train: { first, second } }, memoryBackend(), together)
  const moved = both.map((value, i) => value - start[i])
  const expected = a.map((value, i) => (value + b[i]) / 2 - start[i])
  const norm = (x: Float32Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0))
  assert(norm(moved) > 0)
  assert(norm(moved.map((value, i) => value - expected[i])) < 1e-6 * norm(expected))
})

Deno.test("a transform of tasks sees their gradients and weights, and keeps its memory", async () => {
  const seen: string[] = []
  const layer = contribution({
    gradients: {
      task: {
        init: () => ({ count: { shape: [] } }),
        update: (byTask, state, { weights }) => {
          seen.push(...byTask.keys(), ...weights.keys())
          // The second step, and it alone, is left out.
          const on = sub(1, equal(state.count, 1))
          const kept = [...byTask].map(([task, gradients]) =>
            [task, new Map([...gradients].map(([key, gradient]) => [key, mul(gradient, on)]))] as const
          )
          return [new Map(kept), { count: add(state.count, 1) }]
        },
      },
    },
  })
  const norms = await run(
    Effect.gen(function* () {
      const model = yield* classifier()
      const { events, observe } = recorder()
      const train = { one: rowsOf(data.train, 0, 12), two: rowsOf(data.train, 12, 24) }
      yield* fit(model, { train }, { maxSteps: 3, batchSize: 4, tokenizer, observe })
      return events.flatMap((event) => event.type === "step" ? [event.gradientNorm] : [])
    }),
    layer,
  )
  assertEquals([...new Set(seen)], ["one", "two"])
  assert(norms[0] > 0 && norms[1] === 0 && norms[2] > 0, `${norms}`)
})

Deno.test("a run is a stream of events", async () => {
  const types = await run(Effect.gen(function* () {
    const model = yield* classifier()
    const events = yield* Stream.runCollect(stream(model, { train: data.train }, { maxSteps: 2, tokenizer }))
    return [...events].map(({ type }) => type)
  }))
  assertEquals(types, ["start", "step", "step", "stop"])
})

Deno.test("memory is given back", async () => {
  const [before, after] = await run(Effect.gen(function* () {
    const model = yield* classifier()
    const backend = (yield* Backend) as unknown as { readonly slots: Map<number, unknown> }
    const before = backend.slots.size
    yield* fit(model, { train: data.train }, { maxSteps: 2, gradientAccumulationSteps: 2, tokenizer })
    return [before, backend.slots.size]
  }))
  assertEquals(after, before)
})

Deno.test("a resumed run begins with the model of the run: other frozen weights or another config are errors", async () => {
  const directory = await Deno.makeTempDir()
  const train = (options: { seed?: number; model?: Record<string, unknown> }, resume: boolean) =>
    Effect.flatMap(
      initialize({ ...config, ...options.model }, {
        task: Task.classification(["food", "sky"]),
        seed: options.seed ?? 1,
      }),
      (model) => fit(model, { train: texts(8) }, { maxSteps: 2, tokenizer, runFolder: directory, resume }),
    )
  const methods = Lora.layer({ r: 2, targetModules: ["q_proj"] })
  try {
    await run(train({}, false), methods)
    const cases = [
      [{ seed: 2 }, "differs in base.frozen (was"],
      [{ model: { rms_norm_eps: 1e-6 } }, "differs in base.config (was"],
    ] as const
    for (const [options, message] of cases) {
      const error = await failure(train(options, true), methods)
      assertEquals(error.reason, "ConfigDiffers")
      assertStringIncludes(error.message, message)
    }
    await run(train({}, true), methods)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("a learning rate of 0 is told before the first step", async () => {
  for (const [learningRate, expected] of [[0, ["the learning rate is 0: this run changes no weights"]], [1e-3, []]]) {
    const { events, observe } = recorder()
    await trained({ maxSteps: 1, learningRate: learningRate as number, observe })
    const told = events.flatMap((event) => event.type === "message" && event.level === "warning" ? [event.text] : [])
    assertEquals(told.filter((text) => text.includes("learning rate")), expected)
  }
})
