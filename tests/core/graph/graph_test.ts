import { assert, assertEquals, assertThrows } from "@std/assert"
import { build } from "../../../core/graph/build.ts"
import { chunkVocabulary } from "../../../core/graph/rewrite/chunk_vocabulary.ts"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import type { BuiltinCall } from "../../../kernels/builtin.ts"
import { interpret } from "../../../core/graph/interpret.ts"
import { narrowed } from "../../../core/graph/rewrite/narrow.ts"
import type { Program } from "../../../core/graph/program.ts"
import { workOf } from "../../../core/graph/work.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"
import { node, type Operation, type Tensor } from "../../../core/tensor/tensor.ts"
import { uniformAt } from "../../../core/tensor/operations/threefry.ts"
import { evaluate, evaluateAll } from "../../support/evaluate.ts"
import { cases, dataOf, inputsOf, type OperationCase, scalar } from "./operations.ts"

/** Greatest difference, relative to the greatest value. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assertEquals(actual.length, expected.length)
  const scale = Math.max(1, ...Array.from(expected, Math.abs))
  return Math.max(0, ...Array.from(expected, (x, i) => Math.abs(actual[i] - x))) / scale
}

const smoothOf = (test: OperationCase) =>
  test.smooth ?? Object.keys(test.inputs).filter((name) => test.inputs[name].dtype !== "i32")

Deno.test("a program computes what its graph says", async (t) => {
  for (const test of cases) {
    await t.step(test.name, () => {
      const data = dataOf(test)
      const value = test.build(inputsOf(test))
      const program = build({ name: test.name, outputs: { value }, updates: [] })
      const error = difference(interpret(program, new Map(), data).value, evaluate(value, { inputs: data }))
      assert(error < 1e-12, `off by ${error}`)
    })
  }
})

Deno.test("derivatives are those of finite differences", async (t) => {
  for (const test of cases) {
    if (smoothOf(test).length === 0) continue
    await t.step(test.name, () => {
      const data = dataOf(test)
      const inputs = inputsOf(test)
      const names = smoothOf(test)
      const loss = scalar(test.build(inputs))
      const found = gradients(loss, names.map((name) => inputs[name]))
      const values = evaluateAll(found, { inputs: data })
      const program = build({
        name: test.name,
        outputs: Object.fromEntries(names.map((n, i) => [n, found[i]])),
        updates: [],
      })
      const ran = interpret(program, new Map(), data)
      names.forEach((name, i) => {
        const numeric = data[name].map((x, j) => {
          const at = (value: number) => {
            const moved = { ...data, [name]: data[name].with(j, value) }
            return evaluate(loss, { inputs: moved })[0]
          }
          return (at(x + 1e-6) - at(x - 1e-6)) / 2e-6
        })
        const error = difference(values[i], numeric)
        assert(error < 2e-7, `${name} off by ${error}`)
        const compiled = difference(ran[name], values[i])
        assert(compiled < 1e-12, `${name} as a program off by ${compiled}`)
      })
    })
  }
})

/** Two layers of which some tokens are read: what no one looks at is not computed, and nothing else changes. */
function assertNarrowed(rows: number, length: number, of: (y: Tensor) => Tensor): void {
  const [width, heads] = [8, 2]
  const lengths = ops.input("lengths", [rows, 1, 1], { dtype: "i32", batch: true })
  const x = ops.input("x", [rows, length, width], { batch: true })
  const w = ops.input("w", [width, width]), gain = ops.input("gain", [width])
  const key = [ops.input("k0", [], { dtype: "i32" }), ops.input("k1", [], { dtype: "i32" })] as const
  const table = ops.input("table", [length, width / heads / 2])
  const slopes = ops.input("slopes", [length])
  const segments = ops.lessEqual(length / 2, ops.iota([1, length], 1))
  const split = (y: Tensor) => ops.permute(ops.reshape(y, [rows, length, heads, width / heads]), [0, 2, 1, 3])
  const layer = (x: Tensor, causal: boolean): Tensor => {
    const project = (y: Tensor) => ops.matmul(y, w, { transposeB: true })
    const q = ops.rotary(split(project(x)), table, ops.mul(table, 0.5))
    const visibility = causal
      ? { causal, window: 3, segments: ops.toInt(segments) }
      : { keyLengths: ops.reshape(lengths, [rows]) }
    const factor = ops.dropout(ops.full(1, [rows, heads, length, length]), 0.2, 7, key)
    const mixed = ops.permute(
      ops.attention(q, split(x), split(project(x)), visibility, {
        factor,
        bias: ops.reshape(slopes, [1, 1, length, 1]),
      }),
      [0, 2, 1, 3],
    )
    const h = ops.rmsNorm(ops.add(x, project(ops.reshape(mixed, [rows, length, width]))), gain, 1e-5)
    return ops.layerNorm(ops.add(h, ops.dropout(ops.gelu(project(h)), 0.1, 9, key)), gain, gain, 1e-5)
  }
  const data = {
    lengths: [6, 3].slice(0, rows),
    places: [4, 0],
    k0: [3],
    k1: [4],
    ...Object.fromEntries([x, w, gain, table, slopes].map(({ attributes, shape }, salt) => [
      attributes.name as string,
      new Float64Array(sizeOf(shape)).map((_, i) => uniformAt(i, salt, 5, 5) - 0.3),
    ])),
  }
  for (const causal of [true, false]) {
    const whole = of(layer(layer(x, causal), causal))
    const [part] = narrowed([whole])
    const all = (y: Tensor) => [y, ...gradients(ops.sum(ops.mul(y, y)), [x, w, gain, slopes])]
    const expected = evaluateAll(all(whole), { inputs: data })
    evaluateAll(all(part), { inputs: data }).forEach((value, i) => assert(difference(value, expected[i]) < 1e-12))
    const outputs = Object.fromEntries(all(part).map((y, i) => [`${i}`, y]))
    const found = interpret(build({ name: "part", outputs, updates: [] }), new Map(), data)
    expected.forEach((value, i) => assert(difference(found[i], value) < 1e-12))
    // Products of the second layer: keys and values of all tokens, queries and what follows of those that are read.
    const flops = (y: Tensor) =>
      build({ name: "count", outputs: { y }, updates: [] }).calls.reduce((sum, call) => sum + workOf(call).flops, 0)
    const [once, twice] = [flops(layer(x, causal)), flops(part)]
    assert(twice < 1.75 * once, `${twice} is more than a layer and a half: ${once}`)
  }
}

Deno.test("of a layer whose first token is read, no more than that is computed", () => {
  const [rows, length] = [2, 6]
  for (const at of [0, 4]) {
    assertNarrowed(rows, length, (y) => ops.softmax(ops.reshape(ops.narrow(y, 1, at, at + 1), [rows, y.shape[2]])))
  }
})

Deno.test("of a layer whose tokens are read at places told at run time, no more than those are computed", () => {
  const places = ops.input("places", [2], { dtype: "i32" })
  assertNarrowed(1, 6, (y) => ops.softmax(ops.gather(ops.reshape(y, [6, y.shape[2]]), places)))
})

Deno.test("places that are read beside other parts, in a part, or more often than they are there", () => {
  const [length, width] = [6, 4]
  const x = ops.input("x", [length, width]), w = ops.input("w", [width, width])
  const places = ops.input("places", [3], { dtype: "i32" })
  const many = ops.concat([places, places, places], 0)
  const y = ops.gelu(ops.matmul(x, w))
  const part = ops.narrow(y, 0, 1, 5)
  const readings = [
    // Beside the whole, beside a slice, in a slice, other places, and the same ones twice.
    ops.add(ops.gather(y, places), ops.narrow(y, 0, 0, 3)),
    ops.add(ops.gather(y, places), ops.sum(y)),
    ops.gather(part, places),
    ops.add(ops.gather(y, places), ops.gather(y, ops.sub(places, ops.min(places, 1)))),
    ops.add(ops.gather(y, places), ops.mul(ops.gather(y, places), 2)),
    ops.gather(y, many),
    ops.narrow(ops.gather(y, places), 0, 1, 2),
    ops.narrow(ops.gather(y, places), 1, 1, 2),
    // Along another axis than the first, through a change of shape that the places are lost in.
    ops.gather(ops.permute(ops.reshape(y, [2, 12]), [1, 0]), places),
    ops.gather(ops.add(ops.permute(ops.matmul(w, x, { transposeB: true }), [1, 0]), 1), places),
    ops.gather(ops.mul(ops.iota([length, width], 0), ops.iota([length, width], 1)), places),
  ]
  const inputs = {
    x: Float64Array.from({ length: length * width }, (_, i) => uniformAt(i, 1, 1, 1) - 0.5),
    w: Float64Array.from({ length: width * width }, (_, i) => uniformAt(i, 2, 2, 2) - 0.5),
    places: [3, 0, 2],
  }
  for (const [i, whole] of readings.entries()) {
    const all = (y: Tensor) => y.dtype === "i32" ? [y] : [y, ...gradients(ops.sum(ops.mul(y, y)), [x, w])]
    const expected = evaluateAll(all(whole), { inputs })
    const found = all(narrowed([whole])[0])
    evaluateAll(found, { inputs }).forEach((value, at) => assert(difference(value, expected[at]) < 1e-12, `${i}`))
    const outputs = Object.fromEntries(found.map((y, at) => [`${at}`, y]))
    const ran = interpret(build({ name: "part", outputs, updates: [] }), new Map(), inputs)
    expected.forEach((value, at) => assert(difference(ran[at], value) < 1e-12, `${i} as a program`))
  }
})

Deno.test("an operation from outside says which part of its inputs it needs", () => {
  const tripled: Operation = { name: "tripled", decompose: ({ inputs: [x] }) => ops.mul(x, 3) }
  const inputs = { a: [64, 8], b: [8, 8] }
  const product = ops.matmul(ops.input("a", inputs.a), ops.input("b", inputs.b))
  const data = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, Float64Array.from({ length: sizeOf(shape) }, Math.sin)]),
  )
  const row = (operation: Operation) => ops.narrow(node(operation, [product], product.shape, "f32"), 0, 5, 6)
  const run = (operation: Operation) => {
    const program = build({ name: "row", outputs: { y: row(operation) }, updates: [] })
    const products = program.calls.filter(({ kernel }) => kernel === "matmul")
    return {
      y: interpret(program, new Map(), data).y,
      flops: products.reduce((sum, call) => sum + workOf(call).flops, 0),
    }
  }
  const [whole, part] = [run(tripled), run({ ...tripled, slice: (_, box) => [box] })]
  assertEquals(part.y, whole.y)
  assertEquals(whole.flops, 64 * part.flops)
})

Deno.test("cross-entropy in chunks of the vocabulary is that of all logits at once", () => {
  const [rows, width, classes] = [5, 8, 2500]
  const x = ops.input("x", [rows, width]), labels = ops.input("labels", [rows], { dtype: "i32" })
  const weight = ops.input("weight", [classes, width]), bias = ops.input("bias", [classes])
  const data = {
    x: Float64Array.from({ length: rows * width }, (_, i) => 3 * uniformAt(i, 1, 1, 1) - 1.5),
    weight: Float64Array.from({ length: classes * width }, (_, i) => 3 * uniformAt(i, 2, 2, 2) - 1.5),
    bias: Float64Array.from({ length: classes }, (_, i) => uniformAt(i, 3, 3, 3)),
    labels: [0, 2499, -100, 1024, 1023],
  }
  const product = ops.matmul(x, weight, { transposeB: true })
  for (const logits of [product, ops.add(product, bias)]) {
    const each = ops.crossEntropy(logits, labels)
    const [dx, dw] = gradients(ops.sum(ops.mul(each, each)), [x, weight])
    const expected = evaluateAll([each, dx, dw], { inputs: data })
    const programOf = (outputs: ReadonlyArray<Tensor>) => {
      const chunked = chunkVocabulary(outputs, 4 * rows * 2048)
      return build({ name: "chunks", outputs: Object.fromEntries(chunked.map((y, i) => [`y${i}`, y])), updates: [] })
    }
    const largest = (program: Program) =>
      Math.max(...program.buffers.map(({ size, source }) => source.kind === "temporary" ? size : 0))
    for (const wanted of [[each], [each, dx]]) {
      const program = programOf(wanted)
      const values = interpret(program, new Map(), data)
      wanted.forEach((_, i) => {
        const error = difference(values[`y${i}`], expected[i])
        assert(error < 1e-12, `off by ${error}`)
      })
      assertEquals(largest(program), rows * 1024, "no more than a chunk is held")
    }
    // Where W trains too, or somebody looks at the logits, they are held.
    for (const wanted of [[each, dx, dw], [each, logits]]) {
      assertEquals(largest(programOf(wanted)), Math.max(rows, wanted.length === 3 ? width : 0) * classes)
    }
  }
  // So they are for a derivative by other labels than the loss that is in the graph, and with one bias for all classes.
  const logits = ops.add(product, ops.narrow(bias, 0, 0, 1))
  const other = ops.crossEntropy(product, ops.mul(labels, 0))
  const outputs = [
    ops.crossEntropy(product, labels),
    ...gradients(ops.sum(other), [x]),
    ops.crossEntropy(logits, labels),
  ]
  const expected = evaluateAll(outputs, { inputs: data })
  evaluateAll(chunkVocabulary(outputs, 4 * rows * 2048), { inputs: data }).forEach((value, i) =>
    assert(difference(value, expected[i]) < 1e-12)
  )
})

/** A loss with every kind of use of a parameter: products, biases, norms, tables, tied weights, functions of them. */
function exampleLosses(size: number): { losses: Tensor; parameters: Tensor[]; data: Record<string, Float64Array> } {
  const tokens = ops.input("tokens", [size, 5], { dtype: "i32", batch: true })
  const shapes = { table: [7, 4], w: [6, 4], bias: [6], gain: [4], down: [2, 4], up: [6, 2], prefix: [1, 2, 4] }
  const p = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, ops.input(name, shape)]))
  const x = ops.gather(p.table, tokens)
  const longer = ops.concat([ops.forBatch(p.prefix, x), x], 1)
  const normed = ops.rmsNorm(longer, p.gain, 1e-5)
  const merged = ops.add(p.w, ops.mul(ops.matmul(p.up, p.down), ops.rsqrt(ops.sum(ops.mul(p.w, p.w)))))
  const hidden = ops.add(ops.matmul(normed, merged, { transposeB: true }), p.bias)
  const low = ops.matmul(ops.matmul(normed, p.down, { transposeB: true }), p.up, { transposeB: true })
  const mixed = ops.matmul(ops.gelu(ops.add(hidden, low)), merged)
  const logits = ops.matmul(mixed, p.table, { transposeB: true })
  const labels = ops.concat([ops.mul(ops.narrow(tokens, 1, 0, 2), 0), tokens], 1)
  const losses = ops.sum(ops.crossEntropy(logits, labels), [1])
  const data: Record<string, Float64Array> = {
    tokens: new Float64Array(size * 5).map((_, i) => Math.floor(7 * uniformAt(i, 3, 3, 3))),
  }
  Object.entries(shapes).forEach(([name, shape], salt) => {
    data[name] = new Float64Array(sizeOf(shape)).map((_, i) => uniformAt(i, salt, 5, 5) - 0.4)
  })
  return { losses, parameters: Object.values(p), data }
}

Deno.test("per-example derivatives are those of each example alone", () => {
  const size = 3
  const { losses, parameters, data } = exampleLosses(size)
  const found = gradients(ops.sum(losses), parameters, { perExample: true })
  const names = parameters.map((p) => p.attributes.name as string)
  const program = build({
    name: "per example",
    outputs: Object.fromEntries(found.map((g, i) => [names[i], g])),
    updates: [],
  })
  const ran = interpret(program, new Map(), data)
  const single = exampleLosses(1)
  const alone = gradients(ops.sum(single.losses), single.parameters)
  for (let b = 0; b < size; b++) {
    const own = evaluateAll(alone, { inputs: { ...data, tokens: data.tokens.slice(b * 5, b * 5 + 5) } })
    own.forEach((expected, i) => {
      const n = expected.length
      const error = difference(ran[names[i]].slice(b * n, b * n + n), expected)
      assert(error < 1e-12, `${names[i]} of example ${b} off by ${error}`)
      assert(expected.some((x) => x !== 0), `${names[i]} has a derivative`)
    })
  }
})

Deno.test("per-example derivatives add up to the plain ones", () => {
  const { losses, parameters, data } = exampleLosses(4)
  const loss = ops.sum(losses)
  const apart = gradients(loss, parameters, { perExample: true }).map((g) => ops.sum(g, [0]))
  const values = evaluateAll([...apart, ...gradients(loss, parameters)], { inputs: data })
  parameters.forEach((_, i) => assert(difference(values[i], values[i + parameters.length]) < 1e-12))
})

Deno.test("per-example derivatives of a batch of one", () => {
  const { losses, parameters, data } = exampleLosses(1)
  const values = evaluateAll(
    [
      ...gradients(ops.sum(losses), parameters, { perExample: true }),
      ...gradients(ops.sum(losses), parameters),
    ],
    { inputs: data },
  )
  parameters.forEach((_, i) => assert(difference(values[i], values[i + parameters.length]) < 1e-12))
})

Deno.test("a plain step sums over the batch inside its products", () => {
  const { losses, parameters } = exampleLosses(4)
  const [, w] = parameters
  const [gradient] = gradients(ops.sum(losses), [w])
  const program = build({ name: "plain", outputs: { gradient }, updates: [] })
  const calls = program.calls as ReadonlyArray<BuiltinCall>
  for (const call of calls) {
    if (call.kernel === "matmul") assertEquals(call.output.shape.length <= 3, true)
  }
  const batched = calls.filter((call) =>
    call.kernel === "matmul" && call.output.shape.length === 3 && call.output.shape[1] === 6
  )
  assertEquals(batched.length, 0, "no product keeps the examples apart")
})

Deno.test("updates see the old values of slots", () => {
  const slots = [0, 1, 2].map((id) => ({ id, name: `s${id}`, shape: [3], dtype: "f32" as const }))
  const [a, b, c] = slots.map(ops.slot)
  const program = build({
    name: "swap",
    outputs: { before: a, sum: ops.add(a, b) },
    updates: [[slots[0], b], [slots[1], a], [slots[2], ops.add(ops.add(a, b), c)]],
  })
  const memory = new Map([[0, Float64Array.of(1, 2, 3)], [1, Float64Array.of(4, 5, 6)], [2, Float64Array.of(7, 8, 9)]])
  const out = interpret(program, memory, {})
  assertEquals([...out.before], [1, 2, 3])
  assertEquals([...out.sum], [5, 7, 9])
  assertEquals([...memory.values()].map((x) => [...x]), [[4, 5, 6], [1, 2, 3], [12, 15, 18]])
})

Deno.test("an optimizer step is one call in place", () => {
  const slots = [0, 1, 2].map((id) => ({ id, name: `s${id}`, shape: [3, 5], dtype: "f32" as const }))
  const [p, m, g] = slots.map(ops.slot)
  const moment = ops.add(ops.mul(m, 0.9), ops.mul(g, 0.1))
  const program = build({
    name: "momentum",
    outputs: {},
    updates: [[slots[0], ops.sub(p, ops.mul(moment, ops.input("rate", [])))], [slots[1], moment]],
  })
  assertEquals(program.calls.length, 1)
  assertEquals(program.buffers.filter(({ source }) => source.kind === "temporary").length, 0)
})

Deno.test("infinities and signed zeros are not taken for each other", () => {
  const x = ops.input("x", [3])
  const outputs = {
    chosen: ops.where(ops.less(x, 0), -Infinity, Infinity),
    zeros: ops.div(1, ops.where(ops.less(x, 0), -0, 0)),
    nothing: ops.maximum(ops.full(3, [2, 0]), [1]),
  }
  const ran = interpret(build({ name: "infinities", outputs, updates: [] }), new Map(), { x: [-1, 0, 1] })
  assertEquals([...ran.chosen], [-Infinity, Infinity, Infinity])
  assertEquals([...ran.zeros], [-Infinity, Infinity, Infinity])
  assertEquals([...ran.nothing], [-Infinity, -Infinity])
})

Deno.test("derivatives go through tensors that are wanted themselves", () => {
  const w = ops.input("w", [3])
  const h = ops.mul(w, 2)
  const [ofH, ofW] = evaluateAll(gradients(ops.sum(ops.mul(h, h)), [h, w]), { inputs: { w: [1, 2, 3] } })
  assertEquals([...ofH], [4, 8, 12])
  assertEquals([...ofW], [8, 16, 24])
})

Deno.test("per-example derivatives of what mixes examples are an error", () => {
  const x = ops.input("x", [2, 5, 3], { batch: true })
  const p = ops.input("p", [3])
  for (const mixed of [ops.reshape(x, [10, 3]), ops.permute(x, [1, 0, 2])]) {
    assertThrows(() => gradients(ops.sum(ops.mul(mixed, p)), [p], { perExample: true }), ShapeError, "mixes examples")
  }
})

Deno.test("two new values of one slot are an error", () => {
  const s = { id: 0, name: "state", shape: [2], dtype: "f32" as const }
  const updates = [1, 2].map((by) => [s, ops.add(ops.slot(s), by)] as const)
  assertThrows(() => build({ name: "twice", outputs: {}, updates }), ShapeError, "state")
})

Deno.test("results take the places of what is read for the last time", () => {
  const x = ops.input("x", [6, 4])
  const logits = ops.matmul(x, ops.input("w", [4, 50]))
  const count = (outputs: Record<string, Tensor>) =>
    build({ name: "in place", outputs, updates: [] }).buffers
      .filter(({ size, source }) => size === 300 && source.kind === "temporary").length
  assertEquals(count({ y: ops.softmax(logits) }), 1)
  assertEquals(count({ y: ops.softmax(logits), logits }), 2, "it is still wanted")
  assertEquals(count({ y: ops.add(ops.exp(logits), ops.exp(ops.flip(logits, 0))) }), 2, "it is read elsewhere too")
})
