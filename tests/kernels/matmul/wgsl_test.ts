import { assert, assertEquals } from "@std/assert"
import { uniformAt } from "../../../core/tensor/operations/threefry.ts"
import type { View } from "../../../kernels/contract.ts"
import { decode, encode, type Storage } from "../halves.ts"
import type { MatmulCall } from "../../../kernels/matmul/call.ts"
import { matmulReference } from "../../../kernels/matmul/reference.ts"
import { emitMatmul, type ProductForm, productForm, writeProduct } from "../../../kernels/matmul/wgsl.ts"
import type { DeviceTraits, KernelContext } from "../../../kernels/wgsl/kernel.ts"
import { adapter, runAlone, traits } from "../webgpu.ts"
import type { Case } from "../compare.ts"
import { epilogueCases } from "./epilogue_cases.ts"

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
/** Addresses of a view's elements. */
const places = ({ offset, shape, strides }: View): number[] =>
  shape.reduce(
    (found, extent, axis) => found.flatMap((at) => Array.from({ length: extent }, (_, i) => at + i * strides[axis])),
    [offset],
  )
const matmul = (a: View, b: View, output: View): MatmulCall => ({ kernel: "matmul", a, b, output })

const MARK = 12345
/** Numbers as they are kept. */
const rounded = (array: Float32Array<ArrayBuffer>, storage: Storage = "f32"): Float32Array<ArrayBuffer> => {
  if (storage === "f32") return array
  const halves = new Uint16Array(array.length)
  encode(storage, array, halves)
  return decode(storage, halves)
}
type Write = (call: MatmulCall, context: KernelContext) => ReturnType<typeof emitMatmul>
/** Runs the call among NaN and compares the whole output buffer. */
const check = async (
  device: GPUDevice,
  call: MatmulCall,
  write: Write,
  target: DeviceTraits,
  storages: ReadonlyArray<Storage> = [],
) => {
  const data = [call.a, call.b, call.output].map((operand, i) => {
    const reached = places(operand)
    const array = new Float32Array(Math.max(0, ...reached) + 6).fill(i === 2 ? MARK : NaN)
    if (i < 2) { for (const at of reached) array[at] = uniformAt(at, i, 1, 2) - 0.5 }
    return rounded(array, storages[i])
  })
  const got = await runAlone(device, call, data, target, (context) => write(call, context), storages)
  const expected = data.map((array) => Float64Array.from(array))
  matmulReference(call, expected)
  const tolerance = 1e-7 * (2 + call.a.shape.at(-1)!) // k products of numbers below 1/2
  got.forEach((x, i) => {
    if (!(Math.abs(x - expected[2][i]) <= tolerance)) throw new Error(`element ${i}: ${x}, not ${expected[2][i]}`)
  })
}

/** Runs a case, all that it reads kept in `storage`, and compares what it writes. */
const checkCase = async (
  device: GPUDevice,
  { name, call, buffers, tolerance }: Case,
  target: DeviceTraits,
  storage: Storage = "f32",
) => {
  const last = buffers.length - 1
  const storages = buffers.map((array, i) => i === last || array instanceof Int32Array ? "f32" : storage)
  const data = buffers.map((array, i) => array instanceof Int32Array ? array : rounded(array, storages[i]))
  const got = await runAlone(device, call, data, target, undefined, storages)
  const expected = data.map((array) => Float64Array.from(array))
  matmulReference(call as MatmulCall, expected)
  expected.at(-1)!.forEach((x, i) => {
    const error = Math.abs(got[i] - x)
    assert(error <= tolerance! * (1 + Math.abs(x)), `${name}: element ${i} is ${got[i]}, not ${x}`)
  })
}

/** Threads of a subgroup, if they can be had and are of one number. */
const subgroupSize = async (gpu: GPUAdapter): Promise<number | undefined> => {
  try {
    const device = await gpu.requestDevice({ requiredFeatures: ["subgroups"] as unknown as GPUFeatureName[] })
    device.destroy()
  } catch {
    return undefined
  }
  return gpu.info.subgroupMinSize === gpu.info.subgroupMaxSize ? gpu.info.subgroupMinSize : undefined
}
const shuffling = adapter === null ? undefined : await subgroupSize(adapter)

const onDevice = (name: string, needsSubgroups: boolean, run: (device: GPUDevice) => Promise<void>) => {
  const missing = adapter === null
    ? " (NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one)"
    : needsSubgroups && shuffling !== 4 && shuffling !== 8
    ? " (not run: no subgroups of 4 or 8)"
    : ""
  Deno.test({
    name: `webgpu: ${name}${missing}`,
    ignore: missing !== "",
    fn: async () => {
      const requiredFeatures = (needsSubgroups ? ["subgroups"] : []) as unknown as GPUFeatureName[]
      const device = await adapter!.requestDevice({ requiredFeatures })
      await run(device)
      device.destroy()
    },
  })
}

/** Every layout of two operands of these sizes. */
const layouts = ([m, n, k]: number[]): MatmulCall[] =>
  [view(0, [m, k]), view(0, [m, k], [1, 0], 4), view(0, [m, k], [0, 1], 1, 2)].flatMap((a) =>
    [view(1, [k, n]), view(1, [k, n], [1, 0], 4), view(1, [k, n], [0, 1], 0, 3)].map((b) =>
      matmul(a, b, view(2, [m, n]))
    )
  )
const strange = (): MatmulCall[] => {
  const [m, n, k] = [14, 18, 21], [B, H] = [2, 3]
  const a = { buffer: 0, offset: 2, shape: [m, k], strides: [2 * k, 2] }
  const b = { buffer: 1, offset: 1, shape: [k, n], strides: [3 * n, 3] }
  const backwards = { buffer: 0, offset: m * k - 1, shape: [m, k], strides: [-k, -1] }
  const output = view(2, [B, H, m, n])
  const many = view(0, [B, H, m, k])
  const much = view(1, [B, H, k, n])
  return [
    matmul(a, b, { buffer: 2, offset: 7, shape: [m, n], strides: [n + 5, 1] }),
    matmul({ ...a, strides: [0, 1] }, { ...b, strides: [0, 0] }, view(2, [m, n])),
    matmul(backwards, b, view(2, [m, n])),
    matmul(many, much, output),
    matmul(view(0, [B, H, m, k], [0, 2, 1, 3]), view(1, [B, H, k, n], [0, 3, 1, 2]), output), // heads
    matmul(many, view(1, [B, H, k, n], [2, 3]), output), // one b
    matmul(many, view(1, [B, H, k, n], [0, 3, 2]), output), // one b for each outer entry
    matmul(view(0, [B, H, m, k], [1, 2, 3]), much, output), // one a for each inner entry
    matmul(many, view(1, [B, H, k, n], [2, 3]), view(2, [B, H, m, n], [0, 2, 1, 3])),
    matmul(view(0, [m, 0]), view(1, [0, n]), view(2, [m, n])), // no terms
    matmul(view(0, [0, k]), view(1, [k, n]), view(2, [0, n])),
    matmul(view(0, [0, m, k]), view(1, [0, k, n]), view(2, [0, m, n])),
  ]
}
const gpu = traits(false)
const cpu: DeviceTraits = { ...traits(true), subgroups: { smallest: shuffling ?? 8, largest: shuffling ?? 8 } }

const SIZES = [[1, 1, 1], [7, 8, 4], [13, 17, 19], [67, 71, 257], [16, 132, 44], [100, 8, 24], [4, 64, 8], [1, 33, 130]]
onDevice("products among subgroups, of each size and layout", true, async (device) => {
  for (const sizes of SIZES) for (const call of layouts(sizes)) await check(device, call, emitMatmul, cpu)
  for (const call of strange()) await check(device, call, emitMatmul, cpu)
})
/** In low tiles, which compile fast; b is read in fours where it lies so. */
const low = (exchange: boolean): Write => (call, context) => {
  const { shader, ...form } = productForm({ m: 4, n: 100, k: call.a.shape.at(-1)!, entries: 1 }, cpu)
  assert(shader.kind === "broadcast")
  return writeProduct(call, { ...form, exchange, shader: { ...shader, fours: true } }, context)
}
onDevice("products among subgroups, in fours", true, async (device) => {
  for (const [m, n, k] of [[4, 64, 8], [7, 8, 4], [6, 132, 44], [5, 9, 11], [5, 40, 1100]]) {
    for (const exchange of [false, true]) {
      for (const call of layouts([m, n, k])) await check(device, call, low(exchange), cpu)
    }
  }
})
onDevice("products without subgroups", false, async (device) => {
  for (const call of layouts([7, 12, 20])) await check(device, call, emitMatmul, traits(true))
})
onDevice("products in tiles, of each size and layout", false, async (device) => {
  for (const sizes of SIZES.slice(3)) for (const call of layouts(sizes)) await check(device, call, emitMatmul, gpu)
  for (const call of strange()) await check(device, call, emitMatmul, gpu)
})

const form = (m: number, n: number, k: number, entries = 1, device = gpu): ProductForm =>
  productForm({ m, n, k, entries }, device)
const tile = (...sizes: Parameters<typeof form>) => {
  const { shader } = form(...sizes)
  return [shader.rows, shader.kind === "tile" ? shader.columns : 0]
}
onDevice("products in the larger tiles", false, async (device) => {
  for (const { shader } of [form(4096, 4096, 64), form(1024, 1024, 64)]) {
    const write: Write = (call, context) =>
      writeProduct(call, { exchange: false, parts: 1, chunk: 48, shader }, context)
    const [straight, , gaps, , turned] = layouts([132, 136, 44])
    for (const call of [straight, gaps, turned]) await check(device, call, write, gpu)
  }
})
onDevice("products of an operand in 16 bits, in each layout", true, async (device) => {
  for (const storage of ["bf16", "f16"] as const) {
    for (const sizes of [[4, 72, 20], [18, 21, 7]]) {
      for (const call of layouts(sizes).slice(0, 3)) {
        await check(device, call, low(false), cpu, ["f32", storage])
        await check(device, call, emitMatmul, gpu, ["f32", storage])
      }
      await check(device, layouts(sizes)[0], low(true), cpu, [storage, "f32"])
      await check(device, layouts(sizes)[0], emitMatmul, gpu, [storage, "f32"])
    }
  }
})
onDevice("products of a CPU in disguise with an epilogue", false, async (device) => {
  for (const one of epilogueCases) await checkCase(device, one, traits(true))
})
onDevice("products in tiles with an epilogue", false, async (device) => {
  for (const one of epilogueCases) await checkCase(device, one, gpu)
})
onDevice("products in tiles with an epilogue, all operands in 16 bits", false, async (device) => {
  for (const storage of ["bf16", "f16"] as const) {
    for (const one of epilogueCases.slice(0, 4)) await checkCase(device, one, gpu, storage)
  }
})
onDevice("an epilogue that needs more buffers than can be bound", false, async (device) => {
  for (const one of epilogueCases.slice(0, 8)) await checkCase(device, one, { ...gpu, storageBindings: 4 })
})
onDevice("an epilogue that reads an operand of the product, as fours and as single elements", false, async (device) => {
  const shape = [8, 8], product = matmul(view(0, shape), view(1, shape), view(2, shape))
  const residual = (input: View): MatmulCall => ({
    ...product,
    epilogue: {
      body: [
        { op: "load", operand: 0, dtype: "f32" },
        { op: "load", operand: 1, dtype: "f32" },
        { op: "add", args: [0, 1], dtype: "f32" },
      ],
      inputs: [input],
      result: 2,
      also: [],
    },
  })
  for (const input of [product.a, view(1, shape, [1, 0])]) await check(device, residual(input), emitMatmul, gpu)
})
onDevice("sums in parts", true, async (device) => {
  for (const [target, sizes] of [[cpu, [5, 40, 1100]], [gpu, [5, 40, 1100]], [cpu, [40, 3, 1000]]] as const) {
    const [m, n, k] = sizes
    assert(form(m, n, k, 1, target).parts > 1)
    for (const call of layouts([...sizes]).slice(0, 5)) await check(device, call, emitMatmul, target)
  }
  const call = matmul(view(0, [3, 5, 600]), view(1, [3, 600, 8], [0, 2, 1]), view(2, [3, 5, 8], [1, 0, 2]))
  await check(device, call, emitMatmul, gpu)
})

Deno.test("the form follows sizes and device", () => {
  assertEquals(tile(4096, 4096, 512), [128, 128])
  assertEquals(tile(1024, 1024, 512), [64, 64])
  assertEquals(tile(256, 128, 128), [32, 32])
  assertEquals(tile(8, 4096, 512), [16, 256])
  assertEquals(tile(4096, 8, 512), [256, 16])
  assertEquals(form(1024, 1024, 4096).parts, 1)
  assert(form(8, 128, 8192).parts > 8)
  const { parts, chunk } = form(8, 128, 8192)
  assert(chunk % 16 === 0 && parts * chunk >= 8192 && (parts - 1) * chunk < 8192)
  // Eight columns become eight rows.
  const narrow = form(256, 8, 128, 1, cpu)
  assertEquals([narrow.exchange, narrow.shader.rows], [true, 8])
  assertEquals(form(8, 256, 128, 1, cpu).exchange, false)
  assertEquals(form(256, 512, 128, 1, cpu).shader.rows, 16)
  assertEquals(form(5, 5, 0).parts, 1)
})

Deno.test("products of one form share their code", () => {
  const code = (call: MatmulCall) => {
    const context: KernelContext = {
      device: cpu,
      shader: () => ({
        read: () => ({ load: (index) => `b[${index}]`, store: () => "" }),
        write: () => ({ load: (index) => `b[${index}]`, store: (index, value) => `o[${index}] = ${value};` }),
        finish: (dispatch) => ({ enable: [], bindings: [], ...dispatch }),
      }),
      scratch: () => 3,
      constants: () => 4,
    }
    return emitMatmul(call, context).map((dispatch) => dispatch.code)
  }
  const product = (m: number, n: number, k: number) => code(matmul(view(0, [m, k]), view(1, [k, n]), view(2, [m, n])))
  assertEquals(product(256, 64, 40), product(129, 65, 31))
  const [B, H, m, n, k] = [2, 3, 40, 80, 10]
  const heads = matmul(view(0, [B, H, m, k], [0, 2, 1, 3]), view(1, [B, H, k, n], [0, 3, 1, 2]), view(2, [B, H, m, n]))
  assertEquals(product(256, 64, 40), code(heads))
})
