/**
 * Operands of a shader while a kernel writes it, and their variables.
 * @module
 */
import type { Binding, Dispatch, Element, Operand, Shader } from "../../../kernels/wgsl/kernel.ts"
import type { DType } from "../../../kernels/contract.ts"
import { type BlockEncoding, bytesFor, type Encoding, inBlocks } from "../../../kernels/encoding.ts"
import { F32 } from "../../../kernels/encodings.ts"

/** A GPU buffer: one of the program's, the arena of temporaries, or a slot by number. */
export type Place = "arena" | "inputs" | "constants" | number

/** Bytes of a GPU buffer. */
export interface PlannedRegion {
  readonly place: Place
  /** First byte. */
  readonly offset: number
  /** Number of bytes. */
  readonly bytes: number
}

/** A variable of a shader; its index in the list is its binding number. */
export interface Variable {
  readonly name: string
  readonly type: Element | "u32" | "vec2<u32>"
  readonly region: PlannedRegion
}

/**
 * Begins a shader.
 *
 * @param describe Count, type and encoding of a buffer's elements.
 * @param windowBytes Maximum bytes of a binding.
 */
export const makeShader = (
  describe: (buffer: number) => { readonly size: number; readonly dtype: DType; readonly encoding?: Encoding },
  windowBytes: number,
): Shader => {
  const bindings: Array<{ -readonly [K in keyof Binding]: Binding[K] }> = []
  const use = (buffer: number, asked: Element | undefined, writes: boolean): Operand => {
    const { size, dtype, encoding = F32 } = describe(buffer)
    let binding = bindings.find((known) => known.buffer === buffer)
    const element = asked ?? binding?.element ?? dtype
    if (binding === undefined) {
      binding = {
        buffer,
        element,
        encoding,
        writes,
        name: `b${bindings.length}`,
        indirect: encoding !== F32 || bytesFor(encoding, size) > windowBytes,
      }
      bindings.push(binding)
    }
    if (writes && encoding !== F32) throw new Error(`buffer ${buffer} is kept in ${encoding.name}: it is only read`)
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

/** Declarations of the variables. */
export const declare = (variables: ReadonlyArray<Variable>, writable: ReadonlyArray<boolean>): string =>
  variables.map(({ type, name }, i) =>
    `@group(0) @binding(${i}) var<storage, ${writable[i] ? "read_write" : "read"}> ${name}: array<${type}>;\n`
  ).join("")

/** Element type of a binding's variables. */
const typeOf = ({ element, encoding }: Binding): Variable["type"] =>
  encoding === F32 ? element : element === "vec4<f32>" && !inBlocks(encoding) ? "vec2<u32>" : "u32"

const BYTES = { f32: 4, i32: 4, u32: 4, "vec2<u32>": 8, "vec4<f32>": 16 } as const

/** A function that reads or writes one of the windows of a buffer. */
const overWindows = (binding: Binding, windows: number, windowBytes: number, head: string, use: string): string => {
  const length = windowBytes / BYTES[typeOf(binding)]
  const cases = Array.from({ length: windows }, (_, window) => {
    const text = use.replace("place", `${binding.name}_${window}[i${window === 0 ? "" : ` - ${window * length}u`}]`)
    return window === windows - 1 ? `  ${text}\n` : `  if (i < ${(window + 1) * length}u) { ${text} }\n`
  })
  return `fn ${head} {\n${cases.join("")}}\n`
}

/** Statements that give an element from the word or words that hold it. */
const decoded = ({ name, element, encoding }: Binding, words: (index: string) => string): string => {
  const fours = element === "vec4<f32>"
  if (inBlocks(encoding)) {
    const { block, blockBytes } = encoding
    const four = `four_${name}(e / ${block}u * ${blockBytes}u, e % ${block}u)`
    return fours ? `let e = i * 4u; return ${four};` : `let e = i & ~3u; return ${four}[i & 3u];`
  }
  const { one, four } = encoding.decode.wgsl
  return fours
    ? `let w = ${words("i")}; return ${four("w")};`
    : `let w = ${words("i >> 1u")} >> ((i & 1u) * 16u); return ${one("w")};`
}

/** Functions that see the windows of one buffer as one array of its elements. */
const accessors = (binding: Binding, windows: number, windowBytes: number): string => {
  const { name, element, encoding, writes } = binding
  const over = (head: string, use: string) => overWindows(binding, windows, windowBytes, head, use)
  if (encoding === F32) {
    return over(`load_${name}(i: u32) -> ${element}`, "return place;") +
      (writes ? over(`store_${name}(i: u32, x: ${element})`, "place = x; return;") : "")
  }
  const words = windows > 1 ? over(`words_${name}(i: u32) -> ${typeOf(binding)}`, "return place;") : ""
  const word = (index: string) => windows > 1 ? `words_${name}(${index})` : `${name}_0[${index}]`
  const blocks = inBlocks(encoding) ? blockReader(name, encoding, word) : ""
  return `${words}${blocks}fn load_${name}(i: u32) -> ${element} { ${decoded(binding, word)} }\n`
}

/** Functions that give four bytes from any on, of two words, and four elements of the block at a byte. */
const blockReader = (name: string, { decode }: BlockEncoding, word: (index: string) => string): string => {
  const bytes = (at: string, aligned = false) => aligned ? word(`((${at}) / 4u)`) : `bytes_${name}(${at})`
  const steps = decode.wgsl("at", "first", bytes)
  const [value, ...before] = typeof steps === "string" ? [steps] : steps.toReversed()
  return `fn bytes_${name}(at: u32) -> u32 { let s = at % 4u * 8u; ` +
    `return (${word("at / 4u")} >> s) | ((${word("at / 4u + 1u")} << 1u) << (31u - s)); }\n` +
    `fn four_${name}(at: u32, first: u32) -> vec4<f32> { ${before.reverse().join(" ")} return ${value}; }\n`
}

/** The variables of a dispatch, and the functions over those that need more than a variable. */
export const resolveBindings = (
  { bindings }: Dispatch,
  windowBytes: number,
  regionOf: (buffer: number) => PlannedRegion,
): { readonly variables: ReadonlyArray<Variable>; readonly functions: string } => {
  const variables: Array<Variable> = []
  let functions = ""
  for (const binding of bindings) {
    const { name, indirect } = binding
    const type = typeOf(binding)
    const region = regionOf(binding.buffer)
    if (!indirect) {
      variables.push({ name, type, region })
      continue
    }
    const windows = Math.ceil(region.bytes / windowBytes)
    for (let window = 0; window < windows; window++) {
      const start = window * windowBytes
      const bytes = Math.min(windowBytes, region.bytes - start)
      variables.push({
        name: `${name}_${window}`,
        type,
        region: { ...region, offset: region.offset + start, bytes },
      })
    }
    functions += accessors(binding, windows, windowBytes)
  }
  return { variables, functions }
}
