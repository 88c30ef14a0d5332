/**
 * Any subset of methods, in any order of `Layer.mergeAll`, is the same run: the same parameters, programs, losses,
 * gradients, to the bit.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { Program } from "../../core/graph/program.ts"
import { makeRng } from "../../core/tensor/operations/random.ts"
import { differences, EXACT, exactLayer, type Method, methods, reference, rowsOf, train } from "./support.ts"

const rng = makeRng(3)
const names = Object.keys(methods)
const subsets = [names, ...Array.from({ length: 6 }, (_, i) => rng.shuffle(names).slice(0, 2 + i % 3))]

/** Programs as text. */
const textOf = (programs: ReadonlyArray<Program>): string =>
  JSON.stringify(programs, (_, value) => ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value)

for (const subset of subsets) {
  Deno.test(`any order of ${subset.toSorted().join(", ")}`, async () => {
    const tasks = ["a", "b"]
    const steps = [tasks.map((task, i) => ({ task, rows: rowsOf(2, 2, 3 + i) }))]
    const rules = {
      optimizer: "sgd",
      learningRate: 0.1,
      weightDecay: 0,
      maxGradNorm: 0,
      pcgrad: subset.includes("pcgrad"),
      ...(subset.includes("dp") ? { clip: { maxGradNorm: 6 } } : {}),
    } as const
    const runs = [subset, subset.toReversed(), rng.shuffle(subset)].map(async (order) => {
      const programs: Array<Program> = []
      const own = { methods: order.map((name): Method => methods[name]), tasks, steps, rules }
      const run = await train(own, exactLayer(programs))
      return { own, run, program: textOf(programs) }
    })
    const [first, ...others] = await Promise.all(runs)
    assert(first.program.length > 1000)
    for (const other of others) {
      assert(other.program === first.program, "the programs differ")
      assertEquals([...other.run.after.keys()], [...first.run.after.keys()])
      assertEquals(other.run, first.run)
    }
    const found = differences(first.run, reference(first.run, first.own, rules))
    assert(found.change < EXACT && found.loss < EXACT, JSON.stringify(found))
  })
}
