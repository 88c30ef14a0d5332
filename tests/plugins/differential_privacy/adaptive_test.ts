/**
 * Adaptive clipping: the bound's path beside a plain reference, its noise, its account, and runs that resume.
 * @module
 */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert"
import { type Contribution, Espalier, ops, Trainer } from "@espalier/espalier"
import { evaluateAll } from "@espalier/espalier/plugin"
import * as Llama from "@espalier/espalier/llama"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import { adaptiveNoise, adaptiveTransforms, COUNT_STREAM } from "../../../plugins/differential_privacy/adaptive.ts"
import { secureNormal } from "../../../plugins/differential_privacy/noise/normal.ts"
import { languageModel } from "../../seams/language_model.ts"
import { inDirectory } from "../files.ts"
import { copy, data, failure, lora, messagesIn, privacy, registered, train } from "./support.ts"

const MASKED = -100
/** Examples that a step is planned for. */
const PLANNED = 4
const first = { maxGradNorm: 3, targetQuantile: 0.6, clippingLearningRate: 0.2 }
const silent = { gradients: 0, count: 0, examples: PLANNED }
const BOUND = "transform/adaptive/default/task/bound"

/** Twelve rows of other tokens and lengths. */
const rows = Array.from(
  { length: 12 },
  (_, i) => Array.from({ length: 3 + i % 4 }, (_, j) => 5 + (7 * i * i + 3 * j) % 60),
)
/** Rows of a step: from one to six. */
const rowsOf = (step: number): ReadonlyArray<number> =>
  Array.from({ length: 1 + (5 * step) % 6 }, (_, i) => (7 * step + i) % rows.length)

/** With an empty row at the end, whose tokens are those of a real one. */
function batchOf(chosen: ReadonlyArray<number>): Trainer.Batch {
  const all = [...chosen, 1], length = 6, none = all.length - 1
  const fill = (of: (row: ReadonlyArray<number>) => ReadonlyArray<number>, empty: number) => {
    const values = new Int32Array(all.length * length).fill(empty)
    all.forEach((row, i) => values.set(of(rows[row]), i * length))
    return values
  }
  return {
    task: "default",
    shape: [all.length, length],
    tokens: fill((row) => row, 0),
    lengths: Int32Array.from(all, (row) => rows[row].length),
    exampleWeight: Float32Array.from(all, (_, i) => i === none ? 0 : 1),
    fields: { labels: fill((row) => [...row.slice(1), MASKED], MASKED) },
    rows: Int32Array.from(all, (row, i) => i === none ? -1 : row),
  }
}

const adaptive = (noise: Parameters<typeof adaptiveTransforms>[1], bound = first): Contribution => ({
  id: "adaptive/default",
  requires: { paddedRows: true, constantDivisor: true },
  gradients: { secret: true, ...adaptiveTransforms(bound, noise) },
})
const plain: Contribution = { id: "plain/default", requires: { constantDivisor: true } }

/** A session of SGD on a model of one seed. */
function withSession<A>(
  contribution: Contribution,
  examplesPerStep: number,
  use: (session: Trainer.Session) => Promise<A>,
): Promise<A> {
  const layers = Layer.mergeAll(Llama.layer, lora, registered(contribution)).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  const program = Effect.gen(function* () {
    const model = yield* languageModel
    const session = yield* Trainer.session(model, { optimizer: Trainer.sgd(), maxGradNorm: 0, examplesPerStep })
    return yield* Effect.promise(() => use(session))
  })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layers)) as Effect.Effect<A>)
}

/** One step: its gradient norm, and all values after it. */
async function stepped(session: Trainer.Session, batches: ReadonlyArray<Trainer.Batch>, learningRate: number) {
  await session.post({ batches }, learningRate)
  const [{ gradientNorm }] = await session.drain()
  return { gradientNorm, values: (await session.snapshot()).values }
}

Deno.test("20 noiseless steps: the bound's path is that of the paper, with one micro-batch or two", () =>
  withSession(
    plain,
    1,
    (measuring) =>
      withSession(adaptive(silent), PLANNED, (whole) =>
        withSession(adaptive(silent), PLANNED, async (parts) => {
          let { values } = await whole.snapshot()
          let bound = values[BOUND][0]
          const unlike = new Set<string>()
          assertEquals(bound, first.maxGradNorm)
          for (let step = 0; step < 20; step++) {
            const chosen = rowsOf(step)
            const weights = Object.entries(values).filter(([name]) => name.startsWith("parameter/"))
            await measuring.restore({ state: measuring.state(), values: Object.fromEntries(weights) })
            const norms: Array<number> = []
            for (const row of chosen) norms.push((await stepped(measuring, [batchOf([row])], 0)).gradientNorm)

            const result = await stepped(whole, [batchOf(chosen)], 0.05)
            const half = Math.ceil(chosen.length / 2)
            const two = await stepped(parts, [batchOf(chosen.slice(0, half)), batchOf(chosen.slice(half))], 0.05)
            if (chosen.length === 1) {
              assertAlmostEquals(result.gradientNorm * PLANNED, Math.min(norms[0], bound), 1e-4)
              unlike.add(norms[0] > bound ? "clipped" : "whole")
            }
            const halves = norms.reduce((sum, norm) => sum + (norm <= bound ? 0.5 : -0.5), 0)
            bound *= Math.exp(-0.2 * (halves / PLANNED + 0.5 - 0.6))
            values = result.values
            assertAlmostEquals(values[BOUND][0], bound, 1e-6 * bound, `step ${step + 1}`)
            assertEquals(two.values[BOUND], values[BOUND], `two micro-batches, step ${step + 1}`)
            for (const [name, data] of weights.map(([name]) => [name, values[name]] as const)) {
              two.values[name].forEach((x, i) => assertAlmostEquals(x, data[i], 1e-5, name))
            }
          }
          assert(Math.abs(Math.log(bound / 3)) > 0.1, `the bound hardly moves: ${bound}`)
          assertEquals(unlike.size, 2, `single rows are all ${[...unlike]}`)
        })),
  ))

Deno.test("gradients and count have the noise of theorem 1, of streams of their own", async () => {
  const noise = adaptiveNoise("adaptive/default", 0.3, PLANNED)
  assertEquals([noise.count, noise.examples], [0.2, PLANNED])
  assertAlmostEquals(noise.gradients ** -2 + (2 * noise.count) ** -2, 0.3 ** -2, 1e-12)
  const steps = 60
  const loud = { ...noise, gradients: 5 }
  const [key, step] = [ops.input("key", [8], { dtype: "i32" }), ops.input("step", [], { dtype: "i32" })]
  await withSession(adaptive(loud), PLANNED, async (session) => {
    const secret = session.state().secretKeys!["adaptive/default"]
    let bound: number = first.maxGradNorm, counts = 0, gradients = 0, size = 0
    for (let at = 1; at <= steps; at++) {
      // An empty step: all is noise.
      const { gradientNorm, values } = await stepped(session, [], 0)
      const normal = (0.1 - Math.log(values[BOUND][0] / bound) / 0.2) * PLANNED / noise.count
      const [[wanted]] = evaluateAll([secureNormal(key, step, COUNT_STREAM, [])], {
        inputs: { key: Array.from(secret), step: [at] },
      })
      assertAlmostEquals(normal, wanted, 1e-3)
      counts += normal ** 2
      gradients += (gradientNorm * PLANNED / (5 * bound)) ** 2
      size = Object.entries(values).reduce((sum, [name, x]) => name.startsWith("parameter/") ? sum + x.length : sum, 0)
      bound = values[BOUND][0]
    }
    const isChiSquare = (sum: number, n: number) => assert(Math.abs(sum - n) < 6 * Math.sqrt(2 * n), `${sum} of ${n}`)
    isChiSquare(counts, steps)
    isChiSquare(gradients, steps * size)
  })
  const streams = [COUNT_STREAM, ...Array(100).keys()].map((stream) => secureNormal(key, step, stream, []))
  const drawn = evaluateAll(streams, { inputs: { key: [1, 2, 3, 4, 5, 6, 7, 8], step: [1] } }).map(([x]) => x)
  assertEquals(new Set(drawn).size, 101)
})

/** Values of the bound in the checkpoint of a step. */
const boundIn = (folder: string, step: number, id: string): number => {
  const path = `${folder}/checkpoints/step-${step}/state.safetensors`
  return decodeAllTensors(Deno.readFileSync(path), path).get(`transform/${id}/task/bound`)!.data[0]
}

Deno.test("the examples of all tasks move one bound", () =>
  inDirectory(async (folder) => {
    const wide = adaptive({ gradients: 0, count: 0, examples: 8 }, { ...first, maxGradNorm: 1e6 })
    const options = { maxSteps: 6, batchSize: 4, gradientAccumulationSteps: 2, saveEvery: 6, runFolder: folder }
    await train(Layer.mergeAll(lora, registered(wide)), options, { splits: { train: { a: data, b: data } } })
    const wanted = 1e6 * Math.exp(-0.2 * (1 - 0.6) * 6)
    assertAlmostEquals(boundIn(folder, 6, "adaptive/default"), wanted, 1e-6 * wanted)
  }))

const dp = { delta: 1e-3, accountant: "rdp", noiseMultiplier: 0.3 } as const
const options = { maxSteps: 6, batchSize: PLANNED, saveEvery: 3 }
const both = (more: Partial<Parameters<typeof privacy>[0]>) => Layer.mergeAll(lora, privacy({ ...dp, ...more }))

Deno.test("a resumed run has the same bits, and the account is that of flat clipping", () =>
  inDirectory(async (folder) => {
    const method = both({ clipping: "adaptive" })
    const whole = await train(method, { ...options, runFolder: `${folder}/run` }, {
      onEvent: (event) => {
        if (event.type === "checkpoint" && event.step === 3) copy(`${folder}/run`, `${folder}/copy`)
      },
    })
    const resumed = await train(method, { ...options, runFolder: `${folder}/copy`, resume: true })
    assert(resumed.events.some((event) => event.type === "start" && event.resumedFrom === 3))
    assertEquals(resumed.weights, whole.weights)
    const id = "differential_privacy/default"
    assertEquals(boundIn(`${folder}/copy`, 6, id), boundIn(`${folder}/run`, 6, id))
    assertNotEquals(boundIn(`${folder}/run`, 6, id), boundIn(`${folder}/run`, 3, id))
    assertEquals(whole.run.figures, (await train(both({}), options)).run.figures)
    assertStringIncludes(messagesIn(whole), "adaptive clipping from 1 to the norms' quantile 0.5")
  }))

Deno.test("adaptive clipping refuses what its account does not hold for", async () => {
  const refused = async (what: string, more: Partial<Parameters<typeof privacy>[0]>) =>
    assertStringIncludes(await failure(both(more), options), what)
  await refused("multiplier below 0.4, got 0.4: take 5 examples or more", {
    clipping: "adaptive",
    noiseMultiplier: 0.4,
  })
  await refused('clipping must be "adaptive" where targetQuantile is given', { targetQuantile: 0.5 })
  await refused('clipping must be "adaptive" where clippingLearningRate is given', { clippingLearningRate: 0.1 })
  await refused("targetQuantile must be", { clipping: "adaptive", targetQuantile: 1 })
})
