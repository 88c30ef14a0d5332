/**
 * Lowers a program to a plan: offsets of temporaries, distinct shaders, dispatches with their bindings.
 * @module
 */
import { emit } from "../../../kernels/wgsl/emitters.ts"
import type { DType } from "../../../kernels/contract.ts"
import { bytesFor, type Encoding } from "../../../kernels/encoding.ts"
import { encodingOf, F32 } from "../../../kernels/encodings.ts"
import type { DeviceTraits, Dispatch, KernelContext } from "../../../kernels/wgsl/kernel.ts"
import type { BufferSpec, Program } from "../../graph/program.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { BackendError } from "../backend_error.ts"
import { Arena } from "../memory_plan.ts"
import { declare, makeShader, type PlannedRegion, resolveBindings } from "./shader.ts"

export type { Place, PlannedRegion } from "./shader.ts"

/** Alignment of everything in a GPU buffer, in bytes; no device requires more. */
export const ALIGNMENT = 256

/** An input or output. */
export interface PlannedData extends PlannedRegion {
  readonly name: string
  /** Number of elements. */
  readonly length: number
  readonly dtype: DType
}

/** One pipeline with its bind group. */
export interface PlannedDispatch {
  readonly label: string
  /** Number of its call. */
  readonly call: number
  /** Number of the shader in {@link WebgpuPlan.shaders}. */
  readonly shader: number
  readonly workgroups: readonly [number, number, number]
  /** In the order of the binding numbers. */
  readonly bindings: ReadonlyArray<PlannedRegion>
}

/** Text of a shader and its writable bindings; equal shaders share a pipeline. */
export interface PlannedShader {
  readonly label: string
  readonly code: string
  /** For each binding, whether it is declared `read_write`. */
  readonly writable: ReadonlyArray<boolean>
}

/** A program lowered to WGSL: plain data. */
export interface WebgpuPlan {
  readonly name: string
  readonly shaders: ReadonlyArray<PlannedShader>
  readonly dispatches: ReadonlyArray<PlannedDispatch>
  /** Size of the arena of temporaries. */
  readonly arenaBytes: number
  readonly inputBytes: number
  readonly inputs: ReadonlyArray<PlannedData>
  readonly outputs: ReadonlyArray<PlannedData>
  readonly constantBytes: number
  /** Constants and their byte offsets. */
  readonly constants: ReadonlyArray<{ readonly offset: number; readonly data: Float32Array | Int32Array }>
}

/** Facts about the device. */
export interface LowerOptions {
  readonly device: DeviceTraits
  /** Maximum bytes of a binding. */
  readonly bindingBytes: number
  /** Whether the runtime needs an `enable subgroups;` line (Deno rejects it). */
  readonly enableSubgroups: boolean
}

/** The bytes as far as they are whole units of {@link ALIGNMENT}. */
export const wholeUnits = (bytes: number): number => Math.floor(bytes / ALIGNMENT) * ALIGNMENT

/** Bytes of a buffer; at least one word, since a binding cannot be empty. */
export const paddedBytes = (elements: number, encoding: Encoding = F32): number =>
  Math.max(1, Math.ceil(bytesFor(encoding, elements) / ALIGNMENT)) * ALIGNMENT

/** Lowers a program. Throws {@link BackendError} `Compile` if a call needs more bindings than the device has. */
export const lower = (program: Program, { device, bindingBytes, enableSubgroups }: LowerOptions): WebgpuPlan => {
  const { buffers, calls, encodings, kernels } = program
  const encodingIn = ({ storage }: BufferSpec) => encodingOf(storage, encodings)
  const windowBytes = wholeUnits(bindingBytes)
  /** The program's buffers, and behind them scratch and constants of the kernels. */
  const all: Array<BufferSpec> = [...buffers]
  const kernelConstants = new Map<string, number>()

  const dispatches: Array<{ readonly dispatch: Dispatch; readonly call: number }> = []
  calls.forEach((call, number) => {
    const context: KernelContext = {
      device,
      shader: () => makeShader((buffer) => ({ ...all[buffer], encoding: encodingIn(all[buffer]) }), windowBytes),
      scratch: (size) => all.push({ size, dtype: "f32", source: { kind: "temporary" } }) - 1,
      constants: (values) => {
        const key = `${values}`
        const known = kernelConstants.get(key)
        if (known !== undefined) return known
        const source = { kind: "constant", data: Int32Array.from(values) } as const
        const buffer = all.push({ size: values.length, dtype: "i32", source }) - 1
        kernelConstants.set(key, buffer)
        return buffer
      },
    }
    for (const dispatch of emit(call, kernels, context)) dispatches.push({ dispatch, call: number })
  })

  // A temporary lives from the first call that uses it to the last.
  const arena = new Arena()
  for (const { size, source } of all) arena.add(source.kind === "temporary" ? paddedBytes(size) : 0)
  for (const { dispatch, call } of dispatches) for (const { buffer } of dispatch.bindings) arena.use(buffer, call)
  for (const { view } of program.outputs) arena.use(view.buffer, calls.length)
  const plan = arena.plan(ALIGNMENT)
  const totals = { inputs: 0, constants: 0 }
  const places = all.map(({ size, source }, buffer): Omit<PlannedRegion, "bytes"> => {
    if (source.kind === "temporary") return { place: "arena", offset: plan.offsets[buffer] }
    if (source.kind === "slot") return { place: source.slot, offset: 0 }
    const place = source.kind === "input" ? "inputs" : "constants", offset = totals[place]
    totals[place] += paddedBytes(size)
    return { place, offset }
  })

  const shaders: Array<PlannedShader> = []
  const shaderNumbers = new Map<string, number>()
  const planned = dispatches.map(({ dispatch, call }): PlannedDispatch => {
    const { label, bindings, workgroups } = dispatch
    const { variables, functions } = resolveBindings(
      dispatch,
      windowBytes,
      (buffer) => ({ ...places[buffer], bytes: paddedBytes(all[buffer].size, encodingIn(all[buffer])) }),
    )
    // If a buffer is written, all its bindings are writable: the API forbids reading it through another binding.
    const stored = new Set(bindings.flatMap(({ buffer, writes }) => writes ? [places[buffer].place] : []))
    const writable = variables.map(({ region }) => stored.has(region.place))
    if (variables.length > device.storageBindings) {
      throw new BackendError({
        reason: "Compile",
        message: `Program "${program.name}": ${label} needs ${variables.length} storage bindings, this device has ` +
          `${device.storageBindings}. Use the wasm backend (ESPALIER_BACKEND=wasm).`,
      })
    }
    // Browsers cannot prove that a subgroup shares a condition; Deno checks nothing and does not know this directive.
    const subgroups = "enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n"
    const code = (enableSubgroups && dispatch.enable.includes("subgroups") ? subgroups : "") +
      declare(variables, writable) + functions + dispatch.code
    let shader = shaderNumbers.get(code)
    if (shader === undefined) {
      shader = shaders.push({ label, code, writable }) - 1
      shaderNumbers.set(code, shader)
    }
    return { label, call, shader, workgroups, bindings: variables.map(({ region }) => region) }
  })

  const data = (name: string, buffer: number, first: number, length: number): PlannedData => {
    const { place, offset } = places[buffer]
    return { name, place, offset: offset + 4 * first, bytes: 4 * length, length, dtype: all[buffer].dtype }
  }
  return {
    name: program.name,
    shaders,
    dispatches: planned,
    arenaBytes: plan.bytes,
    inputBytes: totals.inputs,
    inputs: buffers.flatMap(({ size, source }, buffer) =>
      source.kind === "input" ? [data(source.name, buffer, 0, size)] : []
    ),
    outputs: program.outputs.map(({ name, view }) => data(name, view.buffer, view.offset, sizeOf(view.shape))),
    constantBytes: totals.constants,
    constants: all.flatMap(({ size, source }, buffer) =>
      source.kind === "constant" && size > 0 ? [{ offset: places[buffer].offset, data: source.data }] : []
    ),
  }
}
