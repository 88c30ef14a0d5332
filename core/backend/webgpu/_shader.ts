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

/**
 * Begins a shader.
 *
 * @param describe Number and type of a buffer's elements.
 * @param windowBytes Most bytes of one binding.
 */
export const makeShader = (
  describe: (buffer: number) => { readonly size: number; readonly dtype: DType },
  windowBytes: number,
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
        indirect: 4 * size > windowBytes,
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

/** Functions that see the windows of one buffer as one array. */
const accessors = ({ name, element, writes }: Binding, windows: number, windowBytes: number): string => {
  const length = windowBytes / (element === "vec4<f32>" ? 16 : 4)
  const choose = (use: (place: string) => string) =>
    Array.from({ length: windows }, (_, window) => {
      const text = use(`${name}_${window}[i${window === 0 ? "" : ` - ${window * length}u`}]`)
      return window === windows - 1 ? `  ${text}\n` : `  if (i < ${(window + 1) * length}u) { ${text} }\n`
    }).join("")
  return `fn load_${name}(i: u32) -> ${element} {\n${choose((place) => `return ${place};`)}}\n` +
    (writes ? `fn store_${name}(i: u32, x: ${element}) {\n${choose((place) => `${place} = x; return;`)}}\n` : "")
}

/** The variables of a dispatch, and the functions over those that stand for one buffer together. */
export const resolveBindings = (
  { bindings }: Dispatch,
  windowBytes: number,
  regionOf: (buffer: number) => PlannedRegion,
): { readonly variables: ReadonlyArray<Variable>; readonly functions: string } => {
  const variables: Array<Variable> = []
  let functions = ""
  for (const binding of bindings) {
    const { name, element, indirect } = binding
    const region = regionOf(binding.buffer)
    if (!indirect) {
      variables.push({ name, element, region })
      continue
    }
    const windows = Math.ceil(region.bytes / windowBytes)
    for (let window = 0; window < windows; window++) {
      const start = window * windowBytes
      const bytes = Math.min(windowBytes, region.bytes - start)
      variables.push({
        name: `${name}_${window}`,
        element,
        region: { ...region, offset: region.offset + start, bytes },
      })
    }
    functions += accessors(binding, windows, windowBytes)
  }
  return { variables, functions }
}
