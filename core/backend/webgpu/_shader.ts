/**
 * The operands of a shader while a kernel writes it, and their declarations.
 * @module
 */
import type { DType } from "../../../kernels/contract.ts"
import type { Binding, Element, Operand, Shader } from "../../../kernels/wgsl/kernel.ts"

const elementBytes = (element: Element) => element === "vec4<f32>" ? 16 : 4

/**
 * Begins a shader.
 *
 * @param describe Number and type of a buffer's elements.
 * @param windowBytes Most bytes of one binding; larger buffers are seen through several.
 */
export const makeShader = (
  describe: (buffer: number) => { readonly size: number; readonly dtype: DType },
  windowBytes: number,
): Shader => {
  const bindings: Array<{ -readonly [K in keyof Binding]: Binding[K] }> = []
  const operands = new Map<number, Operand>()
  const use = (buffer: number, asked: Element | undefined, writes: boolean): Operand => {
    const { size, dtype } = describe(buffer)
    const known = bindings.find((binding) => binding.buffer === buffer)
    const element = asked ?? dtype
    if (known !== undefined) {
      if (known.element !== element) throw new Error(`buffer ${buffer} is both ${known.element} and ${element}`)
      known.writes ||= writes
      return operands.get(buffer)!
    }
    const name = `b${bindings.length}`
    const windows = Math.max(1, Math.ceil(4 * size / windowBytes))
    const names = windows === 1 ? [name] : Array.from({ length: windows }, (_, window) => `${name}_${window}`)
    bindings.push({ buffer, element, writes, names })
    const operand: Operand = windows === 1
      ? { load: (index) => `${name}[${index}]`, store: (index, value) => `${name}[${index}] = ${value};` }
      : { load: (index) => `load_${name}(${index})`, store: (index, value) => `store_${name}(${index}, ${value});` }
    operands.set(buffer, operand)
    return operand
  }
  return {
    read: (buffer, element) => use(buffer, element, false),
    write: (buffer, element) => use(buffer, element, true),
    finish: (dispatch) => ({ enable: [], ...dispatch, bindings }),
  }
}

/** The windows of one buffer as one: the first that an index falls into. */
const windowFunctions = ({ element, names, writes }: Binding, windowBytes: number): string => {
  const name = names[0].replace(/_0$/, "")
  const length = windowBytes / elementBytes(element)
  const choose = (use: (window: string, index: string) => string) =>
    names.map((window, i) => {
      const index = i === 0 ? "i" : `i - ${i * length}u`
      return i === names.length - 1
        ? `  ${use(window, index)}\n`
        : `  if (i < ${(i + 1) * length}u) { ${use(window, index)} }\n`
    }).join("")
  return `fn load_${name}(i: u32) -> ${element} {\n${choose((window, index) => `return ${window}[${index}];`)}}\n` +
    (writes
      ? `fn store_${name}(i: u32, x: ${element}) {\n${choose((window, index) => `${window}[${index}] = x; return;`)}}\n`
      : "")
}

/** The declarations that stand before a shader's code. */
export const declarations = (
  bindings: ReadonlyArray<Binding>,
  writable: ReadonlyArray<boolean>,
  windowBytes: number,
): string => {
  const variables = bindings.flatMap(({ element, names }) => names.map((name) => ({ element, name })))
  return variables.map(({ element, name }, i) =>
    `@group(0) @binding(${i}) var<storage, ${writable[i] ? "read_write" : "read"}> ${name}: array<${element}>;\n`
  ).join("") +
    bindings.filter(({ names }) => names.length > 1).map((binding) => windowFunctions(binding, windowBytes)).join("")
}
