/**
 * When the trainer packs examples into rows, and that nothing else changes by it.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import type { MicroBatch } from "../../../core/contracts/batch_source.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import { fromRows, type LabeledData, type TextData } from "../../../core/tasks/dataset/dataset.ts"
import { fit } from "../../../core/training/fit.ts"
import type { TrainOptions } from "../../../core/training/options.ts"
import { mul } from "../../../core/tensor/ops.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { failure, run } from "../../support/model_layer.ts"
import { classifier, languageModel, texts as shortTexts, tokenizer, weightsOf } from "./support.ts"

/** Texts of very different lengths, of which every third is long. */
const texts = (count: number): LabeledData => {
  const data = shortTexts(count)
  const rows = data.rows.map((row, i) => ({
    ...row,
    text: i % 3 === 0 ? `${row.text} ${row.text} ${row.text}` : row.text,
  }))
  return { ...data, rows }
}
/** The same without labels. */
const plainTexts = (count: number): TextData =>
  fromRows(texts(count).rows.map(({ text }) => ({ text })), { text: "text" })

const none = Layer.empty as unknown as Layer.Layer<never>
const contribution = (value: Omit<Contribution, "id">): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.flatMap(Plugins, (plugins) => plugins.register({ id: "test/one", ...value })),
  ) as unknown as Layer.Layer<never>

/** A backend that tells how many programs for packed rows, and how many for padded ones, it was given. */
const counting = () => {
  const backend = memoryBackend()
  const counts = { packed: 0, padded: 0, others: 0 }
  const compile: MemoryBackend["compile"] = (program, options) => {
    const names = program.buffers.flatMap(({ source }) => source.kind === "input" ? [source.name] : [])
    counts[names.includes("segments") ? "packed" : names.includes("tokens") ? "padded" : "others"]++
    return backend.compile(program, options)
  }
  return { counts, backend: { ...backend, compile } }
}

/** Trains a fresh model: its weights, the losses of its steps, and the programs that it took. */
const trained = async (
  options: TrainOptions,
  { train = texts(24) as Parameters<typeof fit>[1]["train"], methods = none, language = false } = {},
) => {
  const { counts, backend } = counting()
  const losses: number[] = []
  const weights = await run(
    Effect.gen(function* () {
      const model = yield* language ? languageModel() : classifier()
      const observe: TrainOptions["observe"] = (event) =>
        Effect.sync(() => void (event.type === "step" && losses.push(event.loss)))
      yield* fit(model, { train }, { tokenizer, observe, ...options })
      return yield* Effect.promise(() => weightsOf(model))
    }),
    methods,
    backend,
  )
  return { weights, losses, counts }
}

/** |a - b| / |b - c| */
function relative(a: Float32Array, b: Float32Array, c: Float32Array): number {
  const norm = (x: Float32Array, y: Float32Array) => Math.hypot(...x.map((value, i) => value - y[i]))
  return norm(a, b) / norm(b, c)
}

const descent = { optimizer: "sgd", learningRate: 1, schedule: "constant", maxGradNorm: 0 } as const

Deno.test("a step on packed rows moves the weights as one on padded rows, in one micro-batch or in many", async () => {
  for (const language of [false, true]) {
    const own = { language, train: language ? plainTexts(8) : texts(8) }
    const options = { ...descent, maxSteps: 1 }
    const start = await trained({ ...options, learningRate: 0 }, own)
    const rows = await trained({ ...options, batchSize: 8, paddingFree: false }, own)
    assertEquals(rows.counts, { packed: 0, padded: 1, others: 0 })
    for (const [batchSize, gradientAccumulationSteps] of [[8, 1], [4, 2], [2, 4]]) {
      const packed = await trained({ ...options, batchSize, gradientAccumulationSteps, paddingFree: true }, own)
      assert(packed.counts.packed > 0)
      // Of two texts of like length rows hold no more.
      if (batchSize > 2) assertEquals(packed.counts.padded, 0)
      assert(relative(packed.weights, rows.weights, start.weights) < 1e-5, `${batchSize}x${gradientAccumulationSteps}`)
    }
    const again = await trained({ ...options, batchSize: 8, paddingFree: true, gradientCheckpointing: true }, own)
    assert(again.counts.packed === 1 && relative(again.weights, rows.weights, start.weights) < 1e-5)
    // One example is a row without padding anyway.
    const alone = await trained({ ...options, batchSize: 1, gradientAccumulationSteps: 8, paddingFree: true }, own)
    assert(relative(alone.weights, rows.weights, start.weights) < 1e-5)
  }
})

Deno.test("it is the default, and programs are few however many steps there are", async () => {
  const { counts } = await trained({ epochs: 6, batchSize: 2 })
  assert(counts.padded === 0 && counts.packed > 1 && counts.packed <= 4, JSON.stringify(counts))
  const blocks = await trained({ epochs: 1, packing: true, maxLength: 16, batchSize: 4 }, {
    language: true,
    train: plainTexts(30),
  })
  assert(blocks.counts.padded === 1, "blocks are of a length, and lie in rows of their own")
})

Deno.test("what stands against it keeps rows as they are, and is named where it was asked for", async () => {
  const changing: NonNullable<Contribution["objective"]> = {
    wrap: (next) => (context) => ({ ...next(context), loss: mul(next(context).loss, 2) }),
  }
  const cases: ReadonlyArray<readonly [Layer.Layer<never>, string]> = [
    [
      contribution({ gradients: { example: (gradients) => gradients } }),
      "test/one changes the gradient of each example",
    ],
    [contribution({ objective: changing }), "test/one does not declare that it works on rows of several examples"],
    [contribution({ requires: { paddedRows: true } }), "test/one does not declare"],
    [PrefixTuning.layer({ numVirtualTokens: 2 }) as unknown as typeof none, "prefix_tuning/default puts something"],
    [PromptTuning.layer({ numVirtualTokens: 2 }) as unknown as typeof none, '("input-prefix")'],
  ]
  const options = { maxSteps: 1, batchSize: 4 }
  for (const [methods, reason] of cases) {
    const { counts } = await trained(options, { methods })
    assertEquals([counts.packed, counts.padded], [0, 1], reason)
    const error = await failure(
      Effect.flatMap(
        classifier(),
        (model) => fit(model, { train: texts(24) }, { ...options, tokenizer, paddingFree: true }),
      ),
      methods,
    )
    assertEquals(error.reason, "Options")
    assertStringIncludes(error.message, `paddingFree is not possible: `)
    assertStringIncludes(error.message, reason)
  }
  for (
    const methods of [
      contribution({ objective: changing, requires: { paddedRows: false } }),
      Lora.layer() as unknown as typeof none,
    ]
  ) {
    assertEquals((await trained(options, { methods })).counts, { packed: 1, padded: 0, others: 0 })
  }
  const wrong = await failure(
    Effect.flatMap(classifier(), (model) => fit(model, { train: texts(4) }, { paddingFree: 1 as unknown as boolean })),
  )
  assertStringIncludes(wrong.message, "paddingFree must be true or false, got 1")
})

Deno.test("a family that does not say that it can keeps rows; micro-batches of many tokens do not", async () => {
  const { counts, backend } = counting()
  const long = texts(1000)
  await run(
    Effect.gen(function* () {
      const model = yield* classifier()
      const { paddingFree: _, ...network } = model.network
      yield* fit({ ...model, network }, { train: texts(8) }, { maxSteps: 1, tokenizer })
      const asked = { tokenizer, maxSteps: 1, paddingFree: true }
      const error = yield* Effect.flip(fit({ ...model, network }, { train: texts(8) }, asked))
      assertStringIncludes(error.message, 'models of type "llama" take padded rows alone')
      yield* fit(model, { train: long }, { tokenizer, maxSteps: 1, batchSize: 1000 })
    }),
    none,
    backend,
  )
  assertEquals(counts, { packed: 1, padded: 1, others: 0 })
})

Deno.test("sources of any rows, empty steps and several tasks go on as they are", async () => {
  // Poisson sampling: as many rows as there happen to be, filled up to a number; once none at all.
  const rowsOf = (count: number): MicroBatch => ({
    task: "default",
    rows: Int32Array.from({ length: 6 }, (_, i) => i < count ? i : -1),
    length: 32,
  })
  const drawn = [[rowsOf(5)], [], [rowsOf(2)]]
  const methods = contribution({
    batches: (next) => ({
      ...next,
      steps: () => drawn.length,
      next: ({ step }) => Effect.succeed({ microBatches: drawn[step] }),
    }),
  })
  const options = { ...descent, learningRate: 0.1, epochs: 1 }
  const [packed, padded] = await Promise.all(
    [true, false].map((paddingFree) => trained({ ...options, paddingFree }, { methods })),
  )
  assertEquals(packed.losses.map((loss) => loss === 0), [false, true, false])
  packed.losses.forEach((loss, i) => assert(Math.abs(loss - padded.losses[i]) < 1e-6))
  assert(packed.counts.packed > 0)

  const all = texts(20)
  const train = { one: { ...all, rows: all.rows.slice(0, 8) }, two: { ...all, rows: all.rows.slice(8, 11) } }
  const once = { ...descent, maxSteps: 1, batchSize: 8 }
  const together = contribution({
    batches: (next) => ({
      ...next,
      next: ({ epoch }) =>
        Effect.map(
          Effect.all([0, 1].map((step) => next.next({ epoch, step }, []))),
          (steps) => ({ microBatches: steps.flatMap((step) => step!.microBatches) }),
        ),
    }),
  })
  const start = await trained({ ...once, learningRate: 0 }, { train, methods: together })
  const [both, rows] = await Promise.all(
    [true, false].map((paddingFree) => trained({ ...once, paddingFree }, { train, methods: together })),
  )
  assertEquals([both.counts.packed, both.counts.others], [2, 1])
  assert(relative(both.weights, rows.weights, start.weights) < 1e-5)
})

Deno.test("a run does not go on in the other layout", async () => {
  const directory = await Deno.makeTempDir()
  const options = { tokenizer, maxSteps: 1, runFolder: `${directory}/run` }
  try {
    const error = await failure(Effect.gen(function* () {
      const model = yield* classifier()
      yield* fit(model, { train: texts(8) }, options)
      yield* fit(model, { train: texts(8) }, { ...options, resume: true, paddingFree: true })
      yield* fit(model, { train: texts(8) }, { ...options, resume: true, paddingFree: false })
    }))
    assertStringIncludes(error.message, "paddingFree")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
