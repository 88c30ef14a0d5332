import { declare, makeShader, resolveBindings } from "../../core/backend/webgpu/shader.ts"
import type { DType } from "../../kernels/contract.ts"
import type { BuiltinCall as Call } from "../../kernels/builtin.ts"
import { emit } from "../../kernels/wgsl/emitters.ts"
import type { Encoding } from "../../kernels/encoding.ts"
import { encodingOf } from "../../kernels/encodings.ts"
import { encode, type Storage } from "./halves.ts"
import type { DeviceTraits, Dispatch, KernelContext } from "../../kernels/wgsl/kernel.ts"

/** The machine's GPU, if there is one. */
export const adapter: GPUAdapter | null = await navigator.gpu?.requestAdapter() ?? null

/** A test of shaders on a bare device: visibly ignored where there is no adapter. */
export const onDevice = (name: string, body: (device: GPUDevice) => Promise<void>): void =>
  Deno.test({
    name: `webgpu: ${name}${adapter === null ? " (NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one)" : ""}`,
    ignore: adapter === null,
    fn: async () => {
      const device = await adapter!.requestDevice()
      await body(device)
      device.destroy()
    },
  })

type Data = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>
const WINDOW = 1 << 27
/** By text: long ones take a second to compile. */
const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>()

/** What is tested for; the most modest device there may be. */
export const traits = (software: boolean): DeviceTraits => ({
  subgroups: undefined,
  software,
  workgroupsPerAxis: 65535,
  storageBindings: 8,
})

/** Compiles and runs one call by itself, for a device or a software one; gives the last buffer. */
export const runAlone = async (...arguments_: Parameters<typeof runAllBuffers>): Promise<Data> =>
  (await runAllBuffers(...arguments_)).at(-1)!

/** What the memory is to hold of numbers. */
const stored = (data: Data, storage: Storage): Data | Uint16Array<ArrayBuffer> => {
  if (storage === "f32" || data instanceof Int32Array) return data
  const halves = new Uint16Array(data.length + data.length % 2)
  encode(storage, data, halves.subarray(0, data.length))
  return halves
}

/** The same, giving what all buffers hold afterwards; those of another storage than f32 make no sense there. */
export const runAllBuffers = async (
  device: GPUDevice,
  call: Call,
  data: ReadonlyArray<Data>,
  target: boolean | DeviceTraits,
  write: (context: KernelContext) => ReadonlyArray<Dispatch> = (context) => emit(call, undefined, context),
  storages: ReadonlyArray<Storage> = [],
): Promise<ReadonlyArray<Data>> => {
  const contents: Array<ReturnType<typeof stored> | undefined> = data.map((d, i) => stored(d, storages[i] ?? "f32"))
  const specs: Array<{ size: number; dtype: DType; encoding?: Encoding }> = data.map((d, i) => ({
    size: d.length,
    dtype: d instanceof Int32Array ? "i32" : "f32",
    encoding: encodingOf(storages[i]),
  }))
  const dispatches = write({
    device: typeof target === "boolean" ? traits(target) : target,
    shader: () => makeShader((buffer) => specs[buffer], WINDOW),
    scratch: (size) => specs.push({ size, dtype: "f32" }) - 1,
    constants: (values) => {
      const buffer = specs.push({ size: values.length, dtype: "i32" }) - 1
      contents[buffer] = Int32Array.from(values)
      return buffer
    },
  })
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC
  const buffers = specs.map(({ size }, i) => {
    const buffer = device.createBuffer({ size: Math.ceil((4 * size + 1) / 256) * 256, usage })
    const content = contents[i]
    if (size > 0 && content !== undefined) device.queue.writeBuffer(buffer, 0, content)
    return buffer
  })
  const known = pipelines.get(device) ?? new Map<string, GPUComputePipeline>()
  pipelines.set(device, known)
  const encoder = device.createCommandEncoder()
  const pass = encoder.beginComputePass()
  for (const dispatch of dispatches) {
    const { code, bindings, workgroups, label } = dispatch
    const region = (buffer: number) => ({ place: buffer, offset: 0, bytes: buffers[buffer].size })
    const { variables, functions } = resolveBindings(dispatch, WINDOW, region)
    const text = declare(variables, bindings.map(({ writes }) => writes)) + functions + code
    device.pushErrorScope("validation")
    const pipeline = known.get(text) ?? device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code: text }), entryPoint: "main" },
    })
    known.set(text, pipeline)
    const entries = bindings.map(({ buffer }, binding) => ({ binding, resource: { buffer: buffers[buffer] } }))
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }))
    pass.dispatchWorkgroups(...workgroups)
    const error = await device.popErrorScope()
    if (error !== null) throw new Error(`${label}: ${error.message}\n${text}`)
  }
  pass.end()
  const staging = data.map(({ byteLength }, i) => {
    const bytes = Math.max(4, byteLength)
    const buffer = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })
    encoder.copyBufferToBuffer(buffers[i], 0, buffer, 0, bytes)
    return buffer
  })
  device.queue.submit([encoder.finish()])
  await Promise.all(staging.map((buffer) => buffer.mapAsync(GPUMapMode.READ)))
  const results = data.map((before, i) => {
    const copy = staging[i].getMappedRange().slice(0, before.byteLength)
    return before instanceof Int32Array ? new Int32Array(copy) : new Float32Array(copy)
  })
  for (const buffer of [...staging, ...buffers]) buffer.destroy()
  return results
}
