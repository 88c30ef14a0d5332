/**
 * The operands of a shader while a kernel writes it, and the variables that stand for them.
 * @module
 */
import type { Binding, Dispatch, Element, Operand, Shader } from "../../../kernels/wgsl/kernel.ts"
import type { DType } from "../../../kernels/contract.ts"

/** The GPU buffer in which something lies: one of the program's own, the arena of temporaries, or a slot by number. */
export type Place = "arena" | "inputs" | "constants" | number

/** Bytes of a GPU buffer. */
export interface PlannedRegion {
  readonly place: Place
  /** First byte. */
  readonly offset: number
  /** Number of bytes. */
  readonly bytes: number
}

/** A variable of a shader; its place in the list is its binding number. */
export interface Variable {
  readonly name: string
  readonly element: Element
  readonly region: PlannedRegion
}

const bytesOf = (element: Element) => element === "vec4<f32>" ? 16 : 4

/**
 * Begins a shader.
 *
 * @param describe Number and type of a buffer's elements.
 * @param windowBytes Most bytes of one binding.
 * @param indirect Whether all operands go through functions, so that variables may be shared.
 */
export const makeShader = (
  describe: (buffer: number) => { readonly size: number; readonly dtype: DType },
  windowBytes: number,
  indirect: boolean,
): Shader => {
  const bindings: Array<{ -readonly [K in keyof Binding]: Binding[K] }> = []
  const use = (buffer: number, asked: Element | undefined, writes: boolean): Operand => {
    const { size, dtype } = describe(buffer)
    let binding = bindings.find((known) => known.buffer === buffer)
    const element = asked ?? binding?.element ?? dtype
    if (binding === undefined) {
      binding = {
        buffer,
        element,
        writes,
        name: `b${bindings.length}`,
        indirect: indirect || 4 * size > windowBytes,
      }
      bindings.push(binding)
    }
    if (binding.element !== element) throw new Error(`buffer ${buffer} is both ${binding.element} and ${element}`)
    binding.writes ||= writes
    const { name } = binding
    return binding.indirect
      ? { load: (index) => `load_${name}(${index})`, store: (index, value) => `store_${name}(${index}, ${value});` }
      : { load: (index) => `${name}[${index}]`, store: (index, value) => `${name}[${index}] = ${value};` }
  }
  return {
    read: (buffer, element) => use(buffer, element, false),
    write: (buffer, element) => use(buffer, element, true),
    finish: (dispatch) => ({ enable: [], ...dispatch, bindings }),
  }
}

/** The text that declares variables, each writable or not. */
export const declare = (variables: ReadonlyArray<Variable>, writable: ReadonlyArray<boolean>): string =>
  variables.map(({ element, name }, i) =>
    `@group(0) @binding(${i}) var<storage, ${writable[i] ? "read_write" : "read"}> ${name}: array<${element}>;\n`
  ).join("")

/** Elements of a buffer that lie in one variable. */
interface Segment {
  readonly variable: Variable
  /** The variable's f32 that is the buffer's first; below 0 if the buffer begins before the variable. */
  readonly base: number
  /** Number of the buffer's f32 up to the segment's end. */
  readonly end: number
}

/** Functions that see an operand's segments as one array. */
const accessors = ({ name, element, writes }: Binding, segments: ReadonlyArray<Segment>): string => {
  const scale = bytesOf(element) / 4
  const choose = (use: (segment: Segment) => string) =>
    segments.map((segment, i) =>
      i === segments.length - 1 ? `  ${use(segment)}\n` : `  if (i < ${segment.end / scale}u) { ${use(segment)} }\n`
    ).join("")
  const shifted = (index: string, by: number) => by === 0 ? index : `${index} ${by < 0 ? "-" : "+"} ${Math.abs(by)}u`
  const parts = [0, 1, 2, 3]
  const load = ({ variable, base }: Segment) => {
    if (variable.element === element) return `return ${variable.name}[${shifted("i", base / scale)}];`
    const at = (part: number) => `${variable.name}[${shifted(scale === 1 ? "i" : "4u * i", base + part)}]`
    if (element === "i32") return `return bitcast<i32>(${at(0)});`
    return `return vec4<f32>(${parts.map(at).join(", ")});`
  }
  const store = ({ variable, base }: Segment) => {
    if (variable.element === element) return `${variable.name}[${shifted("i", base / scale)}] = x; return;`
    const at = (part: number) => `${variable.name}[${shifted(scale === 1 ? "i" : "4u * i", base + part)}]`
    if (element === "i32") return `${at(0)} = bitcast<f32>(x); return;`
    return `${parts.map((part) => `${at(part)} = x[${part}];`).join(" ")} return;`
  }
  return `fn load_${name}(i: u32) -> ${element} {\n${choose(load)}}\n` +
    (writes ? `fn store_${name}(i: u32, x: ${element}) {\n${choose(store)}}\n` : "")
}

/**
 * The variables of a dispatch, and the functions over them.
 *
 * @param regionOf Where a buffer lies.
 * @param shared Bytes of a place whose buffers are to share variables; undefined where each has its own.
 */
export const resolveBindings = (
  { bindings }: Dispatch,
  windowBytes: number,
  regionOf: (buffer: number) => PlannedRegion,
  shared: (place: Place) => number | undefined,
): { readonly variables: ReadonlyArray<Variable>; readonly functions: string } => {
  const variables = new Map<string, Variable>()
  const functions = bindings.map((binding) => {
    const { name, element, indirect } = binding
    const region = regionOf(binding.buffer)
    const { place, offset, bytes } = region
    if (!indirect) {
      variables.set(name, { name, element, region })
      return ""
    }
    // Windows on the whole place where variables are shared, else on the buffer alone.
    const placeBytes = shared(place)
    const whole = placeBytes === undefined ? region : { place, offset: 0, bytes: placeBytes }
    const inside = offset - whole.offset
    const segments: Array<Segment> = []
    for (let window = Math.floor(inside / windowBytes); window * windowBytes < inside + bytes; window++) {
      const start = window * windowBytes
      const key = `${placeBytes === undefined ? name : place}_${window}`
      const variable = variables.get(key) ?? {
        name: key,
        element: placeBytes === undefined ? element : "f32",
        region: { place, offset: whole.offset + start, bytes: Math.min(windowBytes, whole.bytes - start) },
      }
      variables.set(key, variable)
      segments.push({ variable, base: (inside - start) / 4, end: (start + windowBytes - inside) / 4 })
    }
    return accessors(binding, segments)
  })
  return { variables: [...variables.values()], functions: functions.join("") }
}
