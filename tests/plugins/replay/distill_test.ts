import { assert, assertAlmostEquals, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import {
  Dataset,
  Espalier,
  Model,
  type Objective,
  ops,
  type PluginError,
  type Plugins,
  Task,
  Trainer,
} from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Replay from "@espalier/espalier/replay"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { distilling } from "../../../plugins/replay/distill.ts"
import { resolveOptions } from "../../../plugins/replay/options.ts"
import { config, data, languageModel, tokenizer } from "../../seams/language_model.ts"
import { evaluateAll } from "../../support/evaluate.ts"

const softmax = (logits: ReadonlyArray<number>, temperature: number) => {
  const powers = logits.map((logit) => Math.exp(logit / temperature))
  const total = powers.reduce((a, b) => a + b)
  return powers.map((power) => power / total)
}

/** Loss and its derivative by the student's logits: an own loss of 2 for each row, then the divergence. */
function distilled(
  shape: ReadonlyArray<number>,
  labels: ReadonlyArray<number>,
  [student, teacher]: ReadonlyArray<ReadonlyArray<number>>,
  options: Replay.DistillOptions,
): ReadonlyArray<ArrayLike<number>> {
  const own: Objective = () => ({ loss: ops.full(2, [shape[0]]), weight: ops.full(1, [shape[0]]) })
  const logits = ops.input("student", shape)
  const outputs = { logits, hidden: logits }
  const batch = {
    tokens: ops.input("tokens", shape.slice(0, 2), { dtype: "i32" }),
    lengths: ops.input("lengths", [shape[0]], { dtype: "i32" }),
    fields: { labels: ops.input("labels", shape.slice(0, -1), { dtype: "i32" }) },
    exampleWeight: ops.input("exampleWeight", [shape[0]]),
    task: "default",
  }
  const base = () => ({ ...outputs, logits: ops.input("teacher", shape) })
  const parameter = () => {
    throw new Error("there is none")
  }
  const { loss } = distilling(resolveOptions(options))(own)({ batch, outputs, base, parameter, trained: [] })
  return evaluateAll([loss, ...gradients(ops.sum(loss), [logits])], {
    inputs: {
      student: Float32Array.from(student),
      teacher: Float32Array.from(teacher),
      labels: Int32Array.from(labels),
    },
    slots: new Map(),
  })
}

Deno.test("the divergence and its derivative equal the formula, for tokens and for classes", () => {
  const classes = 3, options = { weight: 0.7, temperature: 2 }
  for (const shape of [[2, 2, classes], [4, classes]]) {
    const labels = [1, -100, 0, 2]
    const [student, teacher] = [5, 3].map((seed) =>
      Array.from({ length: 12 }, (_, i) => Math.fround(3 * Math.sin(seed * i + seed)))
    )
    const [loss, slope] = distilled(shape, labels, [student, teacher], options)
    const expected = new Array(shape[0]).fill(2)
    labels.forEach((label, place) => {
      const [p, q] = [teacher, student].map((all) => softmax(all.slice(3 * place, 3 * place + 3), 2))
      const divergence = p.reduce((sum, value, i) => sum + value * Math.log(value / q[i]), 0)
      if (label >= 0) expected[Math.floor(place * shape[0] / 4)] += 0.7 * 4 * divergence
      // The derivative of T^2 KL by the student's logits is T (q - p).
      q.forEach((value, i) => {
        assertAlmostEquals(slope[3 * place + i], label < 0 ? 0 : 0.7 * 2 * (value - p[i]), 1e-6)
      })
    })
    expected.forEach((value, row) => assertAlmostEquals(loss[row], value, 1e-6))
  }
})

Deno.test("a probability of nearly zero has a finite divergence", () => {
  const [loss] = distilled([1, 2], [0], [[0, 500], [500, 0]], {})
  assertAlmostEquals(loss[0], 502, 1e-3)
})

type Method = Layer.Layer<never, PluginError, Plugins.Plugins>
const distill = Replay.distill({ weight: 10 }) as unknown as Method

/** Runs a program with LoRA and a method. */
const run = <A, E, R>(program: Effect.Effect<A, E, R>, method: Method): Promise<A> => {
  const all = Layer.mergeAll(method, Llama.layer, Lora.layer({ r: 4 })).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

/** Trains on a third of the texts: the loss on the others before and after, then that on the third. */
const trained = Effect.gen(function* () {
  const model = yield* languageModel
  const own = { ...data, rows: data.rows.filter((_, i) => i % 3 === 0) }
  const others = { ...data, rows: data.rows.filter((_, i) => i % 3 !== 0) }
  const before = yield* Trainer.evaluate(model, others, { tokenizer })
  const run = yield* Trainer.fit(model, { train: own }, { tokenizer, epochs: 20, learningRate: 0.02 })
  const after = yield* Trainer.evaluate(run.model, others, { tokenizer })
  const learned = yield* Trainer.evaluate(run.model, own, { tokenizer })
  return [before, after, learned].map(({ metrics: { loss } }) => loss)
})

Deno.test("a run with distillation stays nearer to its base", async () => {
  const [before, without, learned] = await run(trained, Layer.empty)
  const [same, held, both] = await run(trained, distill)
  assertEquals(same, before)
  const moved = [without, held].map((loss) => Math.abs(loss - before))
  assert(moved[1] < 0.5 * moved[0], `the loss on other rows: ${before}, ${without} without, ${held} with`)
  assert(both < before && learned < both, `the loss on the rows: ${both} with, ${learned} without`)
})

Deno.test("a task without probabilities is an error before training", async () => {
  const scored = Dataset.fromRows([{ text: "sun moon", size: "1" }], { text: "text", scores: ["size"] })
  const program = Effect.gen(function* () {
    const model = yield* Model.initialize(config, { task: Task.regression(["size"]) })
    return yield* Trainer.fit(model, { train: scored }, { tokenizer })
  })
  const error = await run(program, distill).then(() => undefined, (error) => error)
  assertEquals(error._tag, "TrainingError")
  assertStringIncludes(
    error.message,
    "replay/default: distillation compares probabilities of classes or next tokens, and",
  )
})

Deno.test("options that make no sense are errors", () => {
  const refused = (options: object) => assertThrows(() => resolveOptions(options), Error).message
  assertStringIncludes(refused({ weight: 0 }), "replay/default: weight must be a number above 0, got 0")
  assertStringIncludes(refused({ temperature: -1 }), "temperature must be a number above 0, got -1")
  assertStringIncludes(refused({ wieght: 1 }), 'the nearest known one is "weight"')
})
