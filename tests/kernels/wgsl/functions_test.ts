import { assert } from "@std/assert"
import { evaluateStep } from "../../../kernels/body_reference.ts"
import type { Instruction, UnaryName } from "../../../kernels/contract.ts"
import { view } from "../compare.ts"
import { onDevice, runAlone } from "../webgpu.ts"

const grid = (low: number, high: number, count: number) =>
  Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1))
/** Both signs, sizes from `low` to `high` evenly in the logarithm. */
const wide = (low: number, high: number, count: number) =>
  grid(Math.log(low), Math.log(high), count).flatMap((x) => [Math.exp(x), -Math.exp(x)])
const SPECIAL = [NaN, Infinity, -Infinity, 0, -0]

const CASES: ReadonlyArray<[UnaryName, number[], { relative?: number; absolute?: number }]> = [
  ["exp", [...grid(-86.8, 88.7, 20001), ...wide(1e-30, 80, 2001)], { relative: 1e-6 }],
  ["log", [...wide(1e-37, 3e38, 20001).map(Math.abs), ...grid(0.5, 2, 20001), -1], { relative: 1e-6 }],
  ["tanh", [...grid(-10, 10, 20001), ...wide(1e-30, 1e4, 2001)], { relative: 1e-6 }],
  ["sigmoid", [...grid(-86, 40, 20001), ...wide(1e-30, 80, 2001)], { relative: 1e-6 }],
  ["erf", [...grid(-6, 6, 20001), ...wide(1e-30, 1e4, 2001)], { absolute: 1e-6 }],
  ["sin", [...grid(-1e4, 1e4, 20001), ...grid(-10, 10, 20001)], { absolute: 1e-6 }],
  ["cos", [...grid(-1e4, 1e4, 20001), ...grid(-10, 10, 20001)], { absolute: 1e-6 }],
  ["sqrt", wide(1e-37, 3e38, 2001).map(Math.abs), { relative: 1e-6 }],
  ["rsqrt", wide(1e-37, 3e38, 2001).map(Math.abs), { relative: 1e-6 }],
  ["floor", [...grid(-4, 4, 801), -1e9, 1e9], { absolute: 0 }],
]

/** `name` of each of `values`: four lanes at a time where their number is a multiple of four. */
const apply = (device: GPUDevice, name: UnaryName, values: Float32Array<ArrayBuffer>) => {
  const shape = [values.length]
  const dtype = name === "toInt" ? "i32" as const : "f32" as const
  const body: Instruction[] = [{ op: "load", operand: 0, dtype: "f32" }, { op: name, args: [0], dtype }]
  const out = dtype === "i32" ? new Int32Array(values.length) : new Float32Array(values.length)
  return runAlone(
    device,
    { kernel: "rows", space: shape, body, inputs: [view(0, shape)], outputs: [{ step: 1, view: view(1, shape) }] },
    [values, out],
    false,
  )
}

const reference = (op: UnaryName, dtype: "f32" | "i32", x: number) =>
  evaluateStep({ op, args: [0], dtype }, [x], () => NaN, [])

for (const lanes of [1, 4]) {
  onDevice(`functions of ${lanes} lanes stay within their errors; infinities and NaN go through`, async (device) => {
    for (const [name, values, { relative = 0, absolute = 0 }] of CASES) {
      const all = [...values, ...name === "sin" || name === "cos" ? [NaN] : SPECIAL]
      while (all.length % 4 !== (lanes === 4 ? 0 : 1)) all.push(1)
      const x = Float32Array.from(all)
      const got = await apply(device, name, x)
      x.forEach((value, i) => {
        const want = reference(name, "f32", value)
        if (Object.is(want, got[i]) || want === got[i] || Number.isNaN(want) && Number.isNaN(got[i])) return
        const error = Math.abs(got[i] - want) / (relative > 0 ? Math.abs(want) : 1)
        assert(error <= relative + absolute, `${name}(${value}) is ${got[i]}, not ${want}`)
      })
    }
  })
}

onDevice("conversion to i32 goes towards zero and saturates", async (device) => {
  const x = Float32Array.of(
    -1.9,
    1.9,
    0.5,
    -0.5,
    3e9,
    -3e9,
    2147483648,
    NaN,
    Infinity,
    -Infinity,
    16777217,
    -2147483648,
  )
  for (const values of [x, x.slice(0, -1)]) {
    const got = await apply(device, "toInt", values)
    values.forEach((value, i) => {
      const want = reference("toInt", "i32", value)
      assert(got[i] === want, `toInt(${value}) is ${got[i]}, not ${want}`)
    })
  }
})
