import { assert, assertThrows } from "@std/assert"
import { build } from "../../../../core/graph/build.ts"
import { evaluate } from "../../../../core/graph/evaluate.ts"
import { gradients } from "../../../../core/graph/rewrite/gradients.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { ShapeError } from "../../../../core/tensor/shape_error.ts"
import type { Tensor } from "../../../../core/tensor/tensor.ts"
import { withBackend } from "../../backend/wasm/with_backend.ts"

Deno.test("in a packed row of 8,192 tokens each segment is as alone, with dropout of its weights too", () =>
  withBackend({ threads: 2 }, async (backend) => {
    const length = 8192, heads = 2, width = 8, period = 300
    const lengths: Array<number> = []
    for (let left = length; left > 0; left -= lengths.at(-1)!) lengths.push(Math.min(left, 150 + lengths.length * 7))
    const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0))
    const noise = (count: number, seed: number) =>
      Float32Array.from({ length: count }, (_, i) => Math.sin(i * (0.7 + seed)))
    const data = Object.fromEntries(["q", "k", "v", "w"].map((name, i) => [name, noise(heads * length * width, i)]))
    const factor = Float32Array.from(noise(heads * length * period, 5), (x) => x > 0.8 ? 0 : 1.25)
    const segments = Int32Array.from({ length }, (_, i) => starts.findLastIndex((start) => start <= i))
    /** The result and the derivatives of its weighted sum by q, k and v. */
    const resultsOf = async (
      rows: typeof data,
      own: Float32Array,
      tokens: number,
      columns: number,
      ids?: Int32Array,
    ) => {
      const [q, k, v, w] = ["q", "k", "v", "w"].map((name) => ops.input(name, [1, heads, tokens, width]))
      const given = ids === undefined ? {} : { segments: ops.input("segments", [1, tokens], { dtype: "i32" }) }
      const y = ops.attention(q, k, v, given, { factor: ops.input("factor", [1, heads, tokens, columns]) })
      const [dq, dk, dv] = gradients(ops.sum(ops.mul(y, w)), [q, k, v])
      const outputs: Record<string, Tensor> = { y, dq, dk, dv }
      const program = await backend.compile(build({ name: "attention", outputs, updates: [] }))
      const found = await program.run({ ...rows, factor: own, ...(ids === undefined ? {} : { segments: ids }) })
      program.dispose()
      return found
    }
    const whole = await resultsOf(data, factor, length, period, segments)
    for (const at of [0, 7, lengths.length - 1]) {
      const start = starts[at], tokens = lengths[at]
      const cut = (x: ArrayLike<number>) =>
        Float32Array.from({ length: heads * tokens * width }, (_, i) => {
          const head = Math.floor(i / (tokens * width))
          return x[(head * length + start) * width + i % (tokens * width)]
        })
      const ownFactor = Float32Array.from({ length: heads * tokens * tokens }, (_, i) => {
        const head = Math.floor(i / tokens / tokens), row = start + Math.floor(i / tokens) % tokens
        return factor[(head * length + row) * period + (start + i % tokens) % period]
      })
      const rows = Object.fromEntries(Object.entries(data).map(([name, x]) => [name, cut(x)]))
      const alone = await resultsOf(rows, ownFactor, tokens, tokens)
      for (const name of ["y", "dq", "dk", "dv"]) {
        cut(whole[name]).forEach((value, i) =>
          assert(Math.abs(value - alone[name][i]) < 1e-5, `${name} of segment ${at} at ${i}: ${value}`)
        )
      }
    }
  }))

Deno.test("a bound bends the scores before the softmax; it is greater than 0", () => {
  const [queries, keys, width, cap] = [2, 3, 2, 0.7]
  const data = { q: [1, -2, 0.5, 3], k: [2, 1, -1, 0.5, 0.3, -2], v: [1, 2, 3, 4, 5, 6] }
  const [q, k, v] = [["q", queries], ["k", keys], ["v", keys]].map(([name, rows]) =>
    ops.input(name as string, [1, 1, rows as number, width])
  )
  const found = evaluate(ops.attention(q, k, v, {}, { scale: 0.5, softCap: cap }), { inputs: data })
  const wanted = Array.from({ length: queries }, (_, i) => {
    const scores = Array.from({ length: keys }, (_, j) => {
      const product = data.q[2 * i] * data.k[2 * j] + data.q[2 * i + 1] * data.k[2 * j + 1]
      return Math.exp(cap * Math.tanh(0.5 * product / cap))
    })
    const sum = scores.reduce((a, b) => a + b)
    return [0, 1].map((at) => scores.reduce((total, score, j) => total + score / sum * data.v[2 * j + at], 0))
  })
  wanted.flat().forEach((value, i) => assert(Math.abs(found[i] - value) < 1e-12, `${found[i]}, not ${value}`))
  for (const softCap of [0, -1, NaN]) {
    assertThrows(() => ops.attention(q, k, v, {}, { softCap }), ShapeError, "softCap of attention is greater than 0")
  }
})

Deno.test("pages and factors that do not fit are typed errors; attention over pages has no derivative", () => {
  const of = (...shape: number[]) => ops.input("x", shape)
  const ids = (...shape: number[]) => ops.input("pages", shape, { dtype: "i32" })
  const q = of(2, 4, 5, 6), k = of(7, 8, 2, 6), pages = ids(2, 3)
  const wrong: ReadonlyArray<readonly [() => unknown, string]> = [
    [() => ops.attention(q, k, k, { pages: of(2, 3) }), "takes pages i32[2, n] and k, v [pages, P, heads, width]"],
    [() => ops.attention(q, k, k, { pages: ids(3, 3) }), "got pages i32[3, 3]"],
    [() => ops.attention(q, k, k, { pages: ids(3) }), "got pages i32[3]"],
    [() => ops.attention(q, of(7, 12, 2, 6), of(7, 12, 2, 6), { pages }), "P a multiple of 8"],
    [() => ops.attention(q, k, of(6, 8, 2, 6), { pages }), "v [6, 8, 2, 6]"],
    [() => ops.attention(q, of(7, 8, 3, 6), of(7, 8, 3, 6), { pages }), "k [7, 8, 3, 6]"],
    [
      () => ops.attention(q, k, k, { pages, prefix: 25 }),
      "prefix of attention is a whole number from 0 to its 24 keys",
    ],
    [() => ops.attention(q, k, k, { pages }, { factor: of(2, 4, 5, 25) }), "does not fit weights [2, 4, 5, 24]"],
    [() => ops.attention(q, q, q, {}, { factor: of(2, 4, 5, 0) }), "A factor of [2, 4, 5, 0] does not fit"],
    [() => ops.attention(q, q, q, {}, { factor: of(1, 4, 5, 5) }), "A factor of [1, 4, 5, 5] does not fit"],
    [() => gradients(ops.sum(ops.attention(q, k, k, { pages })), [q]), "Attention over pages has no derivative"],
  ]
  for (const [make, message] of wrong) assertThrows(make, ShapeError, message)
})
