/**
 * Methods written against the public exports alone, each beside a float64 reference.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { Rules } from "./reference.ts"
import { equalsReference, exactLayer, methods, type MicroRows, rowsOf, train } from "./support.ts"
import * as DpSgd from "./plugins/dp_sgd.ts"

const SGD: Rules = { optimizer: "sgd", learningRate: 0.1, weightDecay: 0.01, maxGradNorm: 0 }
const ADAMW: Rules = { optimizer: "adamw", learningRate: 0.01, weightDecay: 0.1, maxGradNorm: 1 }
const CLIP = { maxGradNorm: 6 }

const one = (seed: number, count: number, empty = 0): MicroRows => ({
  task: "default",
  rows: rowsOf(seed, count),
  empty,
})
/** Three steps of one micro-batch, of two, and of one with empty rows. */
const alone = [[one(1, 4)], [one(2, 3), one(3, 2)], [one(4, 3, 2)]]
/** Two tasks that want another answer to the same texts. */
const two = (seed: number): ReadonlyArray<MicroRows> => [
  { task: "a", rows: rowsOf(seed, 3, 3) },
  { task: "b", rows: rowsOf(seed, 3, 4) },
]
/** The second step has three micro-batches; the third has no row of one task. */
const both = [two(1), [...two(2), { task: "a", rows: rowsOf(7, 2) }], [{ task: "b", rows: rowsOf(3, 2) }]]

for (const optimizer of [SGD, ADAMW]) {
  const name = optimizer.optimizer

  Deno.test(`noiseless DP-SGD on all parameters, ${name}`, async () => {
    const rules = { ...optimizer, clip: CLIP }
    const steps = await equalsReference({ methods: [methods.dp], tasks: ["default"], steps: alone, rules }, optimizer)
    const clipped = steps.reduce((sum, step) => sum + step.clipped, 0)
    assert(clipped > 0 && clipped < 12, `${clipped} of 12 examples are clipped`)
  })

  Deno.test(`PCGrad over two tasks on all parameters, ${name}`, async () => {
    const rules = { ...optimizer, pcgrad: true }
    const steps = await equalsReference({ methods: [methods.pcgrad], tasks: ["a", "b"], steps: both, rules }, optimizer)
    assert(steps[0].conflicts > 0, "the tasks do not conflict")
  })

  Deno.test(`prefix keys in attention, ${name}`, async () => {
    await equalsReference({ methods: [methods.prefix], tasks: ["default"], steps: alone, rules: optimizer })
  })

  Deno.test(`a bottleneck adapter after a block, ${name}`, async () => {
    await equalsReference({ methods: [methods.bottleneck], tasks: ["default"], steps: alone, rules: optimizer })
  })

  Deno.test(`all four with LoRA over two tasks, ${name}`, async () => {
    const rules = { ...optimizer, clip: CLIP, pcgrad: true }
    const own = { methods: Object.values(methods), tasks: ["a", "b"], steps: both, rules }
    const steps = await equalsReference(own, optimizer)
    assert(steps.some(({ clipped }) => clipped > 0) && steps.some(({ conflicts }) => conflicts > 0), "nothing to do")
  })

  Deno.test(`an empty Poisson batch, and one divisor whatever was drawn, ${name}`, async () => {
    const open = { ...optimizer, maxGradNorm: 0 }
    const clip = { ...CLIP, expectedBatchSize: 3 }
    const own = {
      methods: [DpSgd.layer({ ...CLIP, constantDivisor: true }), methods.lora],
      tasks: ["default"],
      steps: [[one(1, 4)], [], [one(2, 2)]],
    }
    const steps = await equalsReference({ ...own, rules: { ...open, clip } }, { ...open, clip: CLIP })
    assertEquals(steps[1].gradientNorm, 0)
  })
}

Deno.test("a run of empty batches alone changes nothing", async () => {
  const { before, after, results } = await train(
    { methods: Object.values(methods), tasks: ["a", "b"], steps: [[], []], rules: { ...ADAMW, weightDecay: 0 } },
    exactLayer(),
  )
  assertEquals(after, before)
  assertEquals(results, [1, 2].map((step) => ({ ...results[0], step })))
  assertEquals([results[0].loss, results[0].weight, results[0].gradientNorm].map(Number), [0, 0, 0])
})
