/**
 * Clipping and the constant divisor beside Opacus 1.6.0 on PEFT's LoRA: `tests/fixtures/differential_privacy/make.py`.
 * @module
 */
import { assert } from "@std/assert"
import { type Contribution, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Clipping, flat, perLayer } from "../../../plugins/differential_privacy/clip.ts"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import { fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { registered } from "./support.ts"

/** What Opacus found. */
interface Expected {
  readonly clip: number
  readonly rate: number
  /** Examples that each step is planned for. */
  readonly planned: number
  readonly steps: ReadonlyArray<{
    readonly rows: ReadonlyArray<ReadonlyArray<number>>
    readonly labels: ReadonlyArray<number> | null
    readonly losses: ReadonlyArray<number>
    /** Of each example's gradient. */
    readonly norms: ReadonlyArray<number>
    /** Of the sum of clipped gradients. */
    readonly sum: number
  }>
  readonly weights: Readonly<Record<string, ReadonlyArray<number>>>
}

const classes = Task.classification(["LABEL_0", "LABEL_1", "LABEL_2"])
const cases = [
  { name: "llama", base: "llama/llama", task: Task.causalLM(), clipping: flat },
  { name: "bert", base: "bert/classification", task: classes, clipping: flat },
  { name: "bert_per_layer", base: "bert/classification", task: classes, clipping: perLayer },
]

/** Private training without noise and without sampling. */
const clipped = (clipping: Clipping, maxGradNorm: number): Contribution => ({
  id: "clip/default",
  requires: { paddedRows: true, constantDivisor: true },
  gradients: { example: (gradients) => clipping(gradients, maxGradNorm) },
})

function batchOf({ rows, labels }: Expected["steps"][number], padded: boolean): Trainer.Batch {
  const length = Math.max(...rows.map((row) => row.length)) + (padded ? 1 : 0)
  const size = rows.length + (padded ? 1 : 0)
  const fill = (of: (row: ReadonlyArray<number>) => ReadonlyArray<number>, none: number) => {
    const values = new Int32Array(size * length).fill(none)
    rows.forEach((row, i) => values.set(of(row), i * length))
    return values
  }
  const each = (values: ReadonlyArray<number>, none: number) => padded ? [...values, none] : values
  return {
    task: "default",
    shape: [size, length],
    tokens: fill((row) => row, 0),
    lengths: Int32Array.from(each(rows.map((row) => row.length), 1)),
    exampleWeight: Float32Array.from(each(rows.map(() => 1), 0)),
    fields: {
      labels: labels === null ? fill((row) => [...row.slice(1), -100], -100) : Int32Array.from(each(labels, 0)),
    },
    rows: Int32Array.from(each(rows.map((_, i) => i), -1)),
  }
}

const near = (given: number, wanted: number, tolerance: number, what: string) =>
  assert(Math.abs(given - wanted) <= tolerance * Math.abs(wanted), `${what}: ${given} is not ${wanted}`)

for (const { name, base, task, clipping } of cases) {
  Deno.test(`norms, clipped sums and 20 noiseless steps are those of Opacus: ${name}`, () =>
    inDirectory(async (directory) => {
      const config = JSON.parse(Deno.readTextFileSync(fixture(`${base}/config.json`)))
      const without = { ...config, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 }
      Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify(without))
      Deno.copyFileSync(fixture(`${base}/model.safetensors`), `${directory}/model.safetensors`)
      const adapter = fixture(`differential_privacy/${name}`)
      const expected: Expected = JSON.parse(Deno.readTextFileSync(`${adapter}/expected.json`))
      const { clip, rate, planned, steps } = expected

      /** Runs a use of the model with clipping to a norm. */
      const withModel = <A>(norm: number, use: (model: Model.Model) => Effect.Effect<A, unknown, unknown>) => {
        const methods = Layer.mergeAll(
          Bert.layer,
          Llama.layer,
          Lora.fromPeft(adapter),
          registered(clipped(clipping, norm)),
        )
        const layers = methods.pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })))
        const program = Effect.flatMap(Model.load(directory, { task }), use)
        return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layers)) as Effect.Effect<A>)
      }
      /** Steps of SGD; a rate of 0 only measures. */
      const post = (
        model: Model.Model,
        batches: ReadonlyArray<Trainer.Batch>,
        examplesPerStep: number,
        learningRate: number,
      ) =>
        Effect.gen(function* () {
          const session = yield* Trainer.session(model, { optimizer: Trainer.sgd(), maxGradNorm: 0, examplesPerStep })
          return yield* Effect.promise(async () => {
            const results: Array<Trainer.StepResult> = []
            for (const batch of batches) results.push(...await session.post({ batches: [batch] }, learningRate))
            return [...results, ...await session.drain()]
          })
        })

      const { norms, first } = await withModel(1e9, (model) =>
        Effect.gen(function* () {
          const [{ rows, labels }] = steps
          const single = rows.map((row, i) =>
            batchOf({ ...steps[0], rows: [row], labels: labels && [labels[i]] }, false)
          )
          return { norms: yield* post(model, single, 1, 0), first: steps[0] }
        }))
      norms.forEach(({ loss, gradientNorm }, i) => {
        near(loss, first.losses[i], 1e-5, `loss of example ${i}`)
        near(gradientNorm, first.norms[i], 1e-4, `norm of example ${i}`)
      })
      const norm = Math.max(...first.norms)
      assert(steps.some(({ norms }) => norms.some((n) => n > clip)), `nothing is clipped: ${norm}`)

      await withModel(clip, (model) =>
        Effect.gen(function* () {
          const results = yield* post(model, steps.map((step, i) => batchOf(step, i % 2 === 1)), planned, rate)
          results.forEach(({ gradientNorm }, i) =>
            near(gradientNorm * planned, steps[i].sum, 1e-4, `clipped sum of step ${i + 1}`)
          )
          yield* Model.saveAdapters(model, `${directory}/after`)
          const file = (folder: string) =>
            decodeAllTensors(Deno.readFileSync(`${folder}/adapter_model.safetensors`), folder)
          const [before, after] = [file(adapter), file(`${directory}/after`)]
          let off = 0, size = 0
          for (const [key, wanted] of Object.entries(expected.weights)) {
            const [was, is] = [before.get(key)!.data, after.get(key)!.data]
            wanted.forEach((value, i) => {
              off += (is[i] - value) ** 2
              size += (value - was[i]) ** 2
            })
          }
          const error = Math.sqrt(off / size)
          assert(error < 1e-4, `the change of the weights is off by ${error}`)
        }))
    }))
}
