import { assert } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import { explain } from "../../../core/graph/explain.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { interpret } from "../../../core/graph/interpret.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { withBackend } from "../backend/wasm/with_backend.ts"
import { evaluateAll } from "../../support/evaluate.ts"
import { scalar } from "./operations.ts"
import { type RandomGraph, randomGraph } from "./random_graph.ts"

/** Greatest difference, relative to the greatest value. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity
  const scale = Math.max(1, ...Array.from(expected, Math.abs))
  return Math.max(0, ...Array.from(expected, (x, i) => Math.abs(actual[i] - x))) / scale
}

/** What a graph means: its outputs by name, and its slots after. */
function meaning({ graph, inputs, slots }: RandomGraph): Map<string | number, Float64Array> {
  const names: Array<string | number> = [...Object.keys(graph.outputs), ...graph.updates.map(([slot]) => slot.id)]
  const roots = [...Object.values(graph.outputs), ...graph.updates.map(([, tensor]) => tensor)]
  const values = evaluateAll(roots, { inputs, slots })
  return new Map([...slots, ...names.map((name, i) => [name, values[i]] as const)])
}

Deno.test("random graphs: a program computes what its graph says, slots included", () => {
  for (let seed = 0; seed < 1500; seed++) {
    const random = randomGraph(seed)
    const expected = meaning(random)
    const program = build(random.graph)
    const slots = new Map([...random.slots].map(([id, data]) => [id, data.slice()]))
    const outputs = interpret(program, slots, random.inputs)
    for (const [name, values] of expected) {
      const error = difference(typeof name === "number" ? slots.get(name)! : outputs[name], values)
      assert(error < 1e-12, `seed ${seed}: ${name} off by ${error}\n${explain(program)}`)
    }
  }
})

Deno.test("random graphs: the wasm backend computes what they say, twice over", () =>
  withBackend({ threads: 2 }, async (backend) => {
    for (let seed = 0; seed < 150; seed++) {
      const random = randomGraph(seed)
      const slots = await Promise.all([...random.slots].map(async ([id, data]) => {
        const slot = backend.allocate(`s${id}`, [data.length])
        await backend.write(slot, Float32Array.from(data))
        return slot
      }))
      const program = build(random.graph)
      const renamed = program.buffers.map((buffer) =>
        buffer.source.kind === "slot"
          ? { ...buffer, source: { kind: "slot" as const, slot: slots[buffer.source.slot].id } }
          : buffer
      )
      const executable = await backend.compile({ ...program, buffers: renamed })
      const inputs = Object.fromEntries(
        Object.entries(random.inputs).map(([name, data]) => [name, Float32Array.from(data)]),
      )
      const memory = new Map([...random.slots].map(([id, data]) => [id, data.slice()]))
      for (let turn = 0; turn < 2; turn++) {
        const expected = interpret(program, memory, random.inputs)
        const outputs = await executable.run(inputs)
        for (const name of Object.keys(random.graph.outputs)) {
          const error = difference(outputs[name], expected[name])
          assert(error < 1e-4, `seed ${seed}, run ${turn}: ${name} off by ${error}\n${explain(program)}`)
        }
        for (const [id, values] of memory) {
          const error = difference(await backend.read(slots[id]), values)
          assert(error < 1e-4, `seed ${seed}, run ${turn}: slot ${id} off by ${error}\n${explain(program)}`)
        }
      }
      executable.dispose()
      slots.forEach(backend.free)
    }
  }))

Deno.test("random graphs: derivatives are those of finite differences", () => {
  for (let seed = 0; seed < 150; seed++) {
    const { graph, inputs, slots, leaves } = randomGraph(seed, true)
    const loss = Object.values(graph.outputs).map(scalar).reduce((a: Tensor, b) => ops.add(a, b))
    const found = gradients(loss, leaves)
    const outputs = Object.fromEntries(found.map((gradient, i) => [`x${i}`, gradient]))
    const ran = interpret(build({ name: "derivatives", outputs, updates: [] }), new Map(slots), inputs)
    for (const [name, data] of Object.entries(inputs)) {
      // Along a direction in which no two elements agree.
      const direction = data.map((_, i) => Math.sin(1 + 3 * i))
      const at = (step: number) =>
        evaluateAll([loss], { inputs: { ...inputs, [name]: data.map((x, i) => x + step * direction[i]) }, slots })[0][0]
      const expected = (at(1e-4) - at(-1e-4)) / 2e-4
      const along = ran[name].reduce((total, slope, i) => total + slope * direction[i], 0)
      const error = Math.abs(along - expected) / Math.max(1, Math.abs(expected))
      assert(error < 1e-5, `seed ${seed}: ${name} is ${along}, not ${expected}`)
    }
  }
})
