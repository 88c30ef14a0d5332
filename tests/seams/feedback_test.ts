/**
 * A contribution that draws by feedback: half of each batch are the examples that had the greatest losses.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import {
  type Contribution,
  Dataset,
  Espalier,
  type FinishedStep,
  type Json,
  Model,
  Plugins,
  Task,
  Tokenizer,
  trainBpe,
  Trainer,
  type TrainEvent,
} from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const sentences = Array.from({ length: 24 }, (_, i) => {
  const words = i % 3 === 0 ? ["bread", "milk", "salt"] : ["sun", "moon", "star", "sky"]
  return Array.from({ length: 2 + i % 5 }, (_, j) => words[(i + j) % words.length]).join(" ")
})
const data = Dataset.fromRows(sentences.map((text) => ({ text })), { text: "text" })
const { model: tokenizerModel, config: tokenizerConfig } = trainBpe(sentences, { vocabSize: 280 })
const tokenizer = Tokenizer.makeTokenizer(tokenizerModel, tokenizerConfig)
const config = {
  model_type: "llama",
  vocab_size: 280,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  initializer_range: 0.2,
  tie_word_embeddings: true,
}

const BATCH = 4
/** Rows in the order of the last loss that was seen of them, the greatest first; rows that were not seen come first. */
const hardFirst = (
  seen: Array<readonly [step: number, feedback: ReadonlyArray<number>]>,
): Omit<Contribution, "id"> => ({
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

interface Trained {
  readonly weights: ReadonlyArray<number>
  readonly events: ReadonlyArray<TrainEvent>
  readonly seen: ReadonlyArray<readonly [number, ReadonlyArray<number>]>
}

/** Trains for two epochs of five steps; `stopAt` interrupts the run after that step. */
const train = async (options: Trainer.TrainOptions = {}, stopAt = 0): Promise<Trained> => {
  const events: Array<TrainEvent> = []
  const seen: Array<readonly [number, ReadonlyArray<number>]> = []
  let weights: ReadonlyArray<number> = []
  const program = Effect.gen(function* () {
    const model = yield* Model.initialize(config, { task: Task.causalLM(), seed: 3 })
    const observe = (event: TrainEvent) => {
      events.push(event)
      return event.type === "step" && event.step === stopAt ? Effect.interrupt : Effect.void
    }
    yield* Trainer.fit(model, { train: data }, {
      epochs: 2,
      batchSize: BATCH,
      learningRate: 0.01,
      tokenizer,
      saveEvery: 3,
      ...options,
      observe,
    })
    const values = yield* Model.readParameters(model)
    weights = values.flatMap(({ data }) => Array.from(data))
  })
  const plugin = Layer.effectDiscard(
    Effect.flatMap(Plugins.Plugins, ({ register }) => register({ id: "hard_first/default", ...hardFirst(seen) })),
  )
  const layers = Layer.mergeAll(plugin, Llama.layer, Lora.layer({ r: 4, loraDropout: 0.1 })).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layers))).catch((error) => {
    if (stopAt === 0) throw error
  })
  return { weights, events, seen }
}

Deno.test("a contribution draws by the losses of finished steps, and a resumed run is the same run", async () => {
  const whole = await train()
  // Each step is seen once, by the second draw after its own.
  assertEquals(whole.seen, Array.from({ length: 10 }, (_, i) => [i + 1, i < 2 ? [] : [i - 1]]))
  const plain = whole.events.flatMap((event) => event.type === "step" ? [event.loss] : [])
  assertEquals(plain.length, 10)

  const folder = await Deno.makeTempDir()
  try {
    const runFolder = `${folder}/run`
    const first = await train({ runFolder }, 5)
    assert(first.events.some(({ type }) => type === "stop"))
    const checkpoints = Array.from(Deno.readDirSync(`${runFolder}/checkpoints`), ({ name }) => Number(name.slice(5)))
    const last = Math.max(...checkpoints)
    const state = JSON.parse(await Deno.readTextFile(`${runFolder}/checkpoints/step-${last}/trainer_state.json`))
    assertEquals(Object.keys(state.batches), ["hard_first/default"])
    assertEquals(state.batches["hard_first/default"].count, last)
    assertEquals((state.feedback as ReadonlyArray<FinishedStep>).map(({ step }) => step), [last - 1, last])
    assertEquals(state.feedback[0].examples.length, BATCH)
    const second = await train({ runFolder, resume: true })
    assertEquals(second.seen[0], [last + 1, [last - 1]])
    assertEquals(second.weights, whole.weights)
  } finally {
    await Deno.remove(folder, { recursive: true })
  }
})
