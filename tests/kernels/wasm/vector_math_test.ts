import { assert, assertEquals } from "@std/assert"
import { uniformAt } from "../../../core/tensor/operations/threefry.ts"
import type { UnaryName } from "../../../kernels/contract.ts"
import { call, get, i32, i32x4, ModuleBuilder, v128 } from "../../../kernels/wasm/assembler.ts"
import { uniformFunction, vectorUnary } from "../../../kernels/wasm/vector_math.ts"

/** Applies a unary function to four numbers at a time. */
const evaluator = (name: UnaryName, relaxed: boolean, dtype: "f32" | "i32" = "f32") => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  const module = new ModuleBuilder()
  module.importMemory({ initial: 1, maximum: 1, shared: false })
  const zero = i32.const(0)
  const run = module.func(
    "run",
    [],
    [],
    (f) => v128.store(zero, vectorUnary(module, { relaxed }, f, name, dtype, v128.load(zero))),
  )
  module.export("run", run)
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } })
  const view = new (dtype === "f32" ? Float32Array : Int32Array)(memory.buffer, 0, 4)
  return (values: readonly number[]) =>
    values.flatMap((_, i) => {
      if (i % 4 > 0) return []
      view.set(values.slice(i, i + 4))
      ;(instance.exports.run as () => void)()
      return [...view.subarray(0, Math.min(4, values.length - i))]
    })
}

const grid = (low: number, high: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.fround(low + (high - low) * i / (count - 1)))
/** Both signs, sizes from `low` to `high` evenly in the logarithm. */
const logGrid = (low: number, high: number, count: number) =>
  grid(Math.log(low), Math.log(high), count).map((x) => Math.fround(Math.exp(x)))
const bothSigns = (values: number[]) => [...values, ...values.map((x) => -x)]

/** erf by its series (small) or its continued fraction (large), in float64. */
const erf = (x: number): number => {
  if (x < 0) return -erf(-x)
  if (x > 6) return 1
  if (x < 2.5) {
    let [sum, term] = [x, x]
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= -x * x / n
      sum += term / (2 * n + 1)
    }
    return 2 / Math.sqrt(Math.PI) * sum
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction)
  return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction)
}

const wide = bothSigns(logGrid(1e-30, 80, 4001))
const CASES: [UnaryName, (x: number) => number, number[], { relative?: number; absolute?: number }][] = [
  ["exp", Math.exp, [...grid(-86.8, 88.7, 40001), ...wide], { relative: 4e-7 }],
  ["log", Math.log, [...logGrid(1e-44, 3e38, 20001), ...grid(0.5, 2, 20001)], { relative: 4e-7 }],
  ["tanh", Math.tanh, [...grid(-10, 10, 20001), ...wide], { relative: 4e-7 }],
  ["sigmoid", (x) => 1 / (1 + Math.exp(-x)), [...grid(-86, 40, 20001), ...wide], { relative: 4e-7 }],
  ["erf", erf, [...grid(-7, 7, 20001), ...wide], { absolute: 1e-6 }],
  ["sin", Math.sin, [...grid(-1e4, 1e4, 40001), ...grid(-7, 7, 10001), ...wide], { absolute: 1e-6 }],
  ["cos", Math.cos, [...grid(-1e4, 1e4, 40001), ...grid(-7, 7, 10001), ...wide], { absolute: 1e-6 }],
  ["sqrt", Math.sqrt, logGrid(1e-37, 3e38, 2001), { relative: 1e-7 }],
  ["rsqrt", (x) => 1 / Math.sqrt(x), logGrid(1e-37, 3e38, 2001), { relative: 2e-7 }],
  ["floor", Math.floor, grid(-10, 10, 2001), { absolute: 0 }],
  ["abs", Math.abs, grid(-10, 10, 101), { absolute: 0 }],
  ["neg", (x) => -x, grid(-10, 10, 101), { absolute: 0 }],
]

const SPECIAL: Partial<Record<UnaryName, [number, number][]>> = {
  exp: [[-Infinity, 0], [Infinity, Infinity], [89.5, Infinity], [1e30, Infinity], [-1e30, 0], [-110, 0], [0, 1], [
    -0,
    1,
  ]],
  log: [[0, -Infinity], [-0, -Infinity], [-1, NaN], [-1e-40, NaN], [-Infinity, NaN], [Infinity, Infinity], [1, 0]],
  tanh: [[Infinity, 1], [-Infinity, -1], [20, 1], [-20, -1], [0, 0], [1e30, 1]],
  sigmoid: [[Infinity, 1], [-Infinity, 0], [0, 0.5], [-1e30, 0]],
  erf: [[Infinity, 1], [-Infinity, -1], [0, 0]],
  sin: [[0, 0], [Infinity, NaN]],
  cos: [[0, 1], [-Infinity, NaN]],
  sqrt: [[-1, NaN], [Infinity, Infinity]],
  rsqrt: [[0, Infinity], [Infinity, 0]],
}

for (const relaxed of [true, false]) {
  for (const [name, reference, xs, { relative = 0, absolute = 0 }] of CASES) {
    Deno.test(`${name} is close to float64, relaxed ${relaxed}`, () => {
      const evaluate = evaluator(name, relaxed)
      const ys = evaluate(xs)
      let [worst, at] = [-1, NaN]
      xs.forEach((x, i) => {
        const y = reference(x)
        const error = Math.abs(ys[i] - y) / (relative * Math.abs(y) + absolute || 1)
        if (!(error <= worst)) [worst, at] = [error, x]
      })
      assert(worst <= (relative + absolute > 0 ? 1 : 0), `error ${worst} times the tolerance at ${at}`)
      const special = [...SPECIAL[name] ?? [], [NaN, NaN]]
      const got = evaluate(special.map(([x]) => x))
      special.forEach(([x, y], i) =>
        assert(
          Object.is(got[i], y) || got[i] === y || Math.abs(got[i] - y) <= 1e-7,
          `${name}(${x}) = ${got[i]}, not ${y}`,
        )
      )
    })
  }
}

Deno.test("casts and whole numbers", () => {
  assertEquals(evaluator("neg", true, "i32")([3, -4, 0, 7]), [-3, 4, -0, -7].map((x) => x + 0))
  assertEquals(evaluator("abs", true, "i32")([3, -4, 0, -7]), [3, 4, 0, 7])
  const one = [0x3f800000, 0x40000000, -0x40400000, 0x42c80000] // 1, 2, -1.5, 100 as bits
  assertEquals(evaluator("toInt", true, "i32")(one), [1, 2, -1, 100])
})

Deno.test("uniform equals the host's Threefry", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  const module = new ModuleBuilder()
  module.importMemory({ initial: 1, maximum: 1, shared: false })
  const argument = (i: number) => i32x4.splat(get(i))
  module.export(
    "run",
    module.func("run", ["i32", "i32", "i32", "i32"], [], (_, index, salt, key0, key1) =>
      v128.store(
        i32.const(0),
        call(
          uniformFunction(module),
          i32x4.add(argument(index), v128.const(0, 1, 2, 3)),
          argument(salt),
          argument(key0),
          argument(key1),
        ),
      )),
  )
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } })
  const run = exports.run as (...args: number[]) => void
  for (const [index, salt, key0, key1] of [[0, 0, 0, 0], [4, 7, 1, 2], [-2, 0x243f6a88, 0x13198a2e, -5]]) {
    run(index, salt, key0, key1)
    assertEquals(
      [...new Float32Array(memory.buffer, 0, 4)],
      [0, 1, 2, 3].map((i) => uniformAt(index + i, salt, key0, key1)),
    )
  }
})
