import { assert, assertEquals } from "@std/assert"
import { uniformAt } from "../../../core/tensor/operations/threefry.ts"
import type { View } from "../../../kernels/contract.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { bytesOf, decode, encode, type Storage } from "../halves.ts"
import type { MatmulCall } from "../../../kernels/matmul/call.ts"
import { matmulReference } from "../../../kernels/matmul/reference.ts"
import { emitMatmul } from "../../../kernels/matmul/wasm.ts"
import { get, i32, ModuleBuilder, type Target } from "../../../kernels/wasm/assembler.ts"

const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)
/** A view whose axes are laid out in `order`, outermost first; axes left out are broadcast (stride 0). */
const view = (buffer: number, shape: number[], order = [...shape.keys()], offset = 0, gap = 0): View => {
  const strides = shape.map(() => 0)
  let step = 1
  for (const axis of [...order].reverse()) {
    strides[axis] = step
    step = step * shape[axis] + gap
  }
  return { buffer, offset, shape, strides }
}
const extentOf = ({ offset, shape, strides }: View) =>
  sizeOf(shape) === 0 ? offset : offset + 1 + strides.reduce((sum, stride, axis) => sum + stride * (shape[axis] - 1), 0)

/** Runs the units in the given ranges, in one memory; gives the output's buffer, which was full of a mark before. */
const MARK = 12345
type Storages = readonly [a: Storage, b: Storage, output: "f32"]
const run = (call: MatmulCall, target: Target, storages: Storages, split: (units: number) => number[]) => {
  const views = [call.a, call.b, call.output]
  const lengths = views.map(extentOf)
  // Scratch in front; b ends where the memory ends, so that reading beyond it traps.
  const pages = Math.ceil((lengths[0] + lengths[1] + lengths[2] + 64 + 7 * 16384) / 16384)
  let end = 65536 * pages
  const bytes = [0, 0, 0]
  for (const i of [1, 0, 2]) end = (bytes[i] = end - 4 * Math.ceil(lengths[i] * bytesOf(storages[i]) / 4)) - 32
  const out = bytes[2] / 4
  let scratch = 0
  const module = new ModuleBuilder()
  module.importMemory({ initial: pages, maximum: pages, shared: false })
  const stages = emitMatmul(call, {
    module,
    target,
    address: (buffer) => i32.const(bytes[buffer]),
    encoding: (buffer) => encodingOf(storages[buffer]),
    sharedScratch: () => [],
    threadScratch: (bytes) => {
      scratch = bytes
      return i32.const(0)
    },
  })
  assert(scratch < 7 * 65536)
  stages.forEach((stage, i) =>
    module.export(`${i}`, module.func(`${i}`, ["i32", "i32"], [], (_, from, to) => stage.run(get(from), get(to))))
  )
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } })
  const whole = new Float32Array(memory.buffer)
  whole.fill(NaN) // what lies beside the operands must not matter
  const data = views.map(({ buffer }, i) => {
    if (i === 2) return whole.subarray(out, out + lengths[2]).fill(MARK)
    const numbers = Float32Array.from({ length: lengths[i] }, (_, at) => uniformAt(at, buffer, 1, 2) - 0.5)
    const storage = storages[i]
    if (storage === "f32") {
      whole.set(numbers, bytes[i] / 4)
      return numbers
    }
    const halves = new Uint16Array(memory.buffer, bytes[i], lengths[i])
    encode(storage, numbers, halves)
    return decode(storage, halves)
  })
  stages.forEach(({ units }, i) => {
    const bounds = split(units)
    for (let j = 1; j < bounds.length; j++) (exports[i] as (a: number, b: number) => void)(bounds[j - 1], bounds[j])
  })
  assert(Number.isNaN(whole[out - 1]) && Number.isNaN(whole[out + lengths[2]]), "wrote outside")
  return { data, output: whole.slice(out, out + lengths[2]) }
}

const check = (call: MatmulCall, a: Storage = "f32", b: Storage = "f32") => {
  const storages = [a, b, "f32"] as const
  for (const relaxed of [true, false]) {
    const one = run(call, { relaxed }, storages, (units) => [0, units])
    const expected = [...one.data.slice(0, 2), one.output.slice().fill(MARK)].map((array) => Float64Array.from(array))
    matmulReference(call, expected)
    // A sum of k products of numbers below 1/2 in float32.
    const tolerance = 1e-7 * (2 + call.a.shape.at(-1)!)
    one.output.forEach((x, i) =>
      assert(Math.abs(x - expected[2][i]) <= tolerance, `element ${i}: ${x}, not ${expected[2][i]}`)
    )
    for (const [parts, wide] of [[2, false], [3, false], [7, false], [1, true], [5, true]] as const) {
      const split = (units: number) => Array.from({ length: parts + 1 }, (_, i) => Math.floor(i * units / parts))
      assertEquals(run(call, { relaxed, wide }, storages, split).output, one.output, `in ${parts} parts, wide: ${wide}`)
    }
  }
}
const matmul = (a: View, b: View, output: View): MatmulCall => ({ kernel: "matmul", a, b, output })

const SIZES = [[1, 1, 1], [2, 3, 5], [7, 8, 4], [6, 8, 256], [13, 17, 19], [31, 64, 37], [8, 40, 300], [67, 71, 257]]
const MORE = [
  [1, 310, 130],
  [1, 33, 130],
  [2, 110, 150],
  [3, 90, 140],
  [14, 50, 66],
  [50, 1, 9],
  [5, 100, 1],
  [100, 8, 24],
  [20, 4, 8],
  [9, 6, 600],
  [24, 136, 11],
  [40, 8, 700],
  [23, 12, 1600],
  // Rows that would lie whole pages apart.
  [20, 9, 1024],
  [48, 9, 512],
  // More rows than pass by a strip of b at a time, several depths of strips, several blocks of depth.
  [200, 41, 150],
  [37, 34, 500],
  [36, 20, 1700],
  // Rows of the output on few lines of a cache.
  [37, 512, 200],
  [31, 512, 1540],
  // Three panels of columns in a chunk of strips and one that is not full.
  [600, 30, 32],
]
for (const [m, n, k] of [...SIZES, ...MORE]) {
  Deno.test(`${m}x${k} times ${k}x${n}, in each layout`, () => {
    for (const a of [view(0, [m, k]), view(0, [m, k], [1, 0], 3), view(0, [m, k], [0, 1], 1, 2)]) {
      for (const b of [view(1, [k, n]), view(1, [k, n], [1, 0], 5), view(1, [k, n], [0, 1], 0, 3)]) {
        check(matmul(a, b, view(2, [m, n])))
      }
    }
  })
}

Deno.test("operands without a unit stride, and an output with gaps", () => {
  const [m, n, k] = [14, 18, 21]
  const a = { buffer: 0, offset: 2, shape: [m, k], strides: [2 * k, 2] }
  const b = { buffer: 1, offset: 1, shape: [k, n], strides: [3 * n, 3] }
  check(matmul(a, b, { buffer: 2, offset: 7, shape: [m, n], strides: [n + 5, 1] }))
  check(matmul({ ...a, strides: [0, 1] }, { ...b, strides: [0, 0] }, view(2, [m, n])))
})

Deno.test("batches, broadcast and permuted", () => {
  for (const [m, n, k] of [[7, 9, 10], [5, 37, 60], [19, 21, 30]]) inEachOrder(2, 3, m, n, k)
})
const inEachOrder = (B: number, H: number, m: number, n: number, k: number) => {
  const output = view(2, [B, H, m, n])
  const a = view(0, [B, H, m, k])
  const b = view(1, [B, H, k, n])
  check(matmul(a, b, output))
  check(matmul(view(0, [B, H, m, k], [0, 2, 1, 3]), view(1, [B, H, k, n], [0, 3, 1, 2]), output)) // heads
  check(matmul(a, view(1, [B, H, k, n], [2, 3]), output)) // one b
  check(matmul(a, view(1, [B, H, k, n], [0, 3, 2]), output)) // one b for each outer entry
  check(matmul(view(0, [B, H, m, k], [1, 2, 3]), b, output)) // one a for each inner entry
  check(matmul(a, view(1, [B, H, k, n], [2, 3]), view(2, [B, H, m, n], [0, 2, 1, 3])))
  check(matmul(view(0, [B, H, 1, k]), view(1, [B, H, k, n], [3, 2]), view(2, [B, H, 1, n], [1, 0, 2, 3])))
}

Deno.test("empty products: no terms give zeros, no elements give nothing", () => {
  const zeros = run(
    matmul(view(0, [5, 0]), view(1, [0, 9]), view(2, [5, 9])),
    { relaxed: true },
    ["f32", "f32", "f32"],
    (units) => [0, units],
  )
  assertEquals(zeros.output, new Float32Array(45))
  for (const [B, m, n] of [[1, 0, 4], [1, 4, 0], [0, 4, 4]]) {
    check(matmul(view(0, [B, m, 3]), view(1, [B, 3, n]), view(2, [B, m, n])))
  }
})

Deno.test("operands of 16 bits", () => {
  const sizes = [[1, 33, 65], [2, 36, 300], [4, 7, 9], [8, 40, 21], [15, 30, 12], [16, 24, 260], [40, 100, 270]]
  for (const storage of ["bf16", "f16"] as const) {
    for (const [m, n, k] of sizes) {
      const output = view(2, [m, n])
      for (const b of [view(1, [k, n]), view(1, [k, n], [1, 0], 5), view(1, [k, n], [0, 1], 1, 3)]) {
        check(matmul(view(0, [m, k]), b, output), "f32", storage)
        check(matmul(view(0, [m, k], [1, 0], 3), b, output), storage, storage)
      }
      check(matmul(view(0, [m, k]), view(1, [k, n]), output), storage)
    }
    const heads = view(2, [2, 3, 7, 9])
    check(matmul(view(0, [2, 3, 7, 10]), view(1, [2, 3, 10, 9], [0, 3, 2]), heads), "f32", storage)
    check(matmul(view(0, [2, 3, 7, 10], [1, 2, 3]), view(1, [2, 3, 10, 9]), heads), storage, "f32")
  }
})
