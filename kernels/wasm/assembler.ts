/**
 * A small WebAssembly assembler in expression style: instructions are functions from operand code to code.
 *
 * ```ts
 * const module = new ModuleBuilder()
 * const square = module.func("square", ["f32"], ["f32"], (_, x) => f32.mul(get(x), get(x)))
 * module.export("square", square)
 * const { instance } = await WebAssembly.instantiate(module.encode())
 * ```
 * Code is nested arrays of bytes, flattened with the function that it is for; it may be used in several places.
 * @module
 */

/** Bytes of instructions, nested as they were composed. */
export type Code = readonly (number | Code)[] | Uint8Array
/** Types of locals, parameters, results and globals. */
export type ValueType = "i32" | "i64" | "f32" | "v128"
/** Takes one operand from its argument. */
export type Unary = (a: Code) => Code
/** Takes two operands, the left one first. */
export type Binary = (a: Code, b: Code) => Code
/** Takes three operands in order. */
export type Ternary = (a: Code, b: Code, c: Code) => Code
/** Reads at a byte address (plus a constant byte offset, default 0). */
export type Load = (address: Code, offset?: number) => Code
/** Writes a value at a byte address (plus a constant byte offset, default 0). */
export type Store = (address: Code, value: Code, offset?: number) => Code
/** Instructions of one shape, by name. */
export type Instructions<Name extends string, Shape> = Readonly<Record<Name, Shape>>

const TYPE_BYTE: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, v128: 0x7b }

const unsigned = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value >>> 0
  while (rest > 0x7f) {
    bytes.push(rest & 0x7f | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
  return bytes
}
/** LEB128 of an unsigned number. */
const short = (value: number): number | number[] => value >= 0 && value < 0x80 ? value : unsigned(value)
const signed = (value: number): number | number[] => {
  if (value >= -64 && value < 64) return value & 0x7f
  const bytes: number[] = []
  let rest = value | 0
  while (rest < -64 || rest > 63) {
    bytes.push(rest & 0x7f | 0x80)
    rest >>= 7
  }
  bytes.push(rest & 0x7f)
  return bytes
}
const bytesOf = (values: Float32Array | Int32Array): Code => new Uint8Array(values.buffer)
const text = (value: string): Code => {
  const bytes = new TextEncoder().encode(value)
  return [short(bytes.length), bytes]
}
/** Output buffer, reused for each piece of code. */
let bytes = new Uint8Array(1 << 16), length = 0
const room = (count: number): void => {
  if (length + count <= bytes.length) return
  const larger = new Uint8Array(2 * (length + count))
  larger.set(bytes)
  bytes = larger
}
const write = (code: Code): void => {
  room(code.length)
  if (code instanceof Uint8Array) {
    // Most are a constant's few bytes.
    if (code.length > 16) bytes.set(code, length)
    else for (let i = 0; i < code.length; i++) bytes[length + i] = code[i]
    length += code.length
    return
  }
  for (let i = 0; i < code.length; i++) {
    const part = code[i]
    if (typeof part !== "number") {
      write(part)
      // It may have taken the room of what follows.
      room(code.length - i)
    } else bytes[length++] = part
  }
}
/** The bytes of code. Code that is used very often is best flattened once. */
export const flatten = (code: Code): Uint8Array<ArrayBuffer> => {
  length = 0
  write(code)
  return bytes.slice(0, length)
}
const sized = (code: Code): Code => {
  const bytes = flatten(code)
  return [short(bytes.length), bytes]
}
const list = (items: readonly Code[]): Code => [short(items.length), items]

// Prefixed opcodes (SIMD 0xfd, atomics 0xfe, other 0xfc) are written as 0xfd_0000 + code.
const SIMD = 0xfd_0000
const ATOMIC = 0xfe_0000
const MISC = 0xfc_0000
const opcode = (op: number): number | number[] => op < 0x100 ? op : [op >> 16, ...unsigned(op & 0xffff)]
const each = <Name extends string, Shape>(
  opcodes: Record<Name, number>,
  shape: (op: number | number[]) => Shape,
  base = 0,
): Record<Name, Shape> => {
  const entries = Object.entries<number>(opcodes).map(([name, op]) => [name, shape(opcode(base + op))])
  return Object.fromEntries(entries) as Record<Name, Shape>
}
const unary = (op: number | number[]): Unary => (a) => [a, op]
const binary = (op: number | number[]): Binary => (a, b) => [a, b, op]
const ternary = (op: number | number[]): Ternary => (a, b, c) => [a, b, c, op]
/** Memory of the loads and stores that are being written. */
let memory = 0
/**
 * Code whose loads and stores use another memory of the module, by number. A scope and no argument: what decodes an
 * encoding does not know where its bytes lie.
 */
export const inMemory = <A>(number: number, code: () => A): A => {
  const outer = memory
  memory = number
  try {
    return code()
  } finally {
    memory = outer
  }
}
// Alignment is only a hint, except for atomics, where it must be the natural one (2 = four bytes).
const place = (align: number, offset: number): Code =>
  memory === 0 ? [align, short(offset)] : [align | 0x40, short(memory), short(offset)]
const load = (op: number | number[], align = 0): Load => (address, offset = 0) => [address, op, place(align, offset)]
const store = (op: number | number[], align = 0): Store => (address, value, offset = 0) => [
  address,
  value,
  op,
  place(align, offset),
]

/** Whole numbers of 32 bits. Comparisons give 1 or 0. */
export const i32:
  & Instructions<"eqz" | "clz" | "ctz" | "popcnt" | "truncSat" | "reinterpret", Unary>
  & Instructions<
    | ("eq" | "ne" | "ltS" | "ltU" | "gtS" | "gtU" | "leS" | "leU" | "geS" | "geU")
    | ("add" | "sub" | "mul" | "divS" | "divU" | "remS" | "remU")
    | ("and" | "or" | "xor" | "shl" | "shrS" | "shrU" | "rotl" | "rotr"),
    Binary
  >
  & Instructions<"load" | "load8S" | "load8U" | "load16S" | "load16U" | "atomicLoad", Load>
  & Instructions<"store" | "store8" | "store16" | "atomicStore" | "atomicAdd" | "atomicExchange", Store>
  & Instructions<"const", (value: number) => Code> = {
    const: (value) => [0x41, signed(value)],
    ...each({ eqz: 0x45, clz: 0x67, ctz: 0x68, popcnt: 0x69, truncSat: MISC, reinterpret: 0xbc }, unary),
    ...each({ eq: 0x46, ne: 0x47, ltS: 0x48, ltU: 0x49, gtS: 0x4a, gtU: 0x4b }, binary),
    ...each({ leS: 0x4c, leU: 0x4d, geS: 0x4e, geU: 0x4f }, binary),
    ...each({ add: 0x6a, sub: 0x6b, mul: 0x6c, divS: 0x6d, divU: 0x6e, remS: 0x6f, remU: 0x70 }, binary),
    ...each({ and: 0x71, or: 0x72, xor: 0x73, shl: 0x74, shrS: 0x75, shrU: 0x76, rotl: 0x77, rotr: 0x78 }, binary),
    ...each({ load: 0x28, load8S: 0x2c, load8U: 0x2d, load16S: 0x2e, load16U: 0x2f }, load),
    ...each({ store: 0x36, store8: 0x3a, store16: 0x3b }, store),
    ...each({ atomicLoad: 0x10 }, (op) => load(op, 2), ATOMIC),
    /* The read-modify-write forms give the value that was there. */
    ...each({ atomicStore: 0x17, atomicAdd: 0x1e, atomicExchange: 0x41 }, (op) => store(op, 2), ATOMIC),
  }

/** Numbers of 32 bits. Comparisons give an i32, 1 or 0. `convert` and `reinterpret` take an i32. */
export const f32:
  & Instructions<"abs" | "neg" | "ceil" | "floor" | "trunc" | "nearest" | "sqrt" | "convert" | "reinterpret", Unary>
  & Instructions<"eq" | "ne" | "lt" | "gt" | "le" | "ge" | "add" | "sub" | "mul" | "div" | "min" | "max", Binary>
  & Instructions<"load", Load>
  & Instructions<"store", Store>
  & Instructions<"const", (value: number) => Code> = {
    const: (value) => [0x43, bytesOf(Float32Array.of(value))],
    ...each({ abs: 0x8b, neg: 0x8c, ceil: 0x8d, floor: 0x8e, trunc: 0x8f, nearest: 0x90, sqrt: 0x91 }, unary),
    ...each({ convert: 0xb2, reinterpret: 0xbe }, unary),
    ...each({ eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 }, binary),
    ...each({ add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, min: 0x96, max: 0x97 }, binary),
    load: load(0x2a),
    store: store(0x38),
  }

/** Vectors of 128 bits, whatever their lanes hold. `bitselect(a, b, mask)` is a where the mask has ones. */
export const v128:
  & Instructions<"not" | "anyTrue", Unary>
  & Instructions<"and" | "andnot" | "or" | "xor", Binary>
  & Instructions<"bitselect", Ternary>
  & Instructions<"load" | "load16Splat" | "load32Splat" | "load64Splat", Load>
  & Instructions<"load32Zero" | "load64Zero" | "load16x4U" | "load16x4S", Load>
  & Instructions<"store", Store>
  & Instructions<"load32Lane" | "load64Lane", (lane: number, address: Code, vector: Code, offset?: number) => Code>
  & Instructions<"store32Lane" | "store64Lane", (lane: number, address: Code, vector: Code, offset?: number) => Code>
  /* Four i32 lanes of a constant. */
  & Instructions<"const", (a: number, b: number, c: number, d: number) => Code>
  /* Lanes 0..3 are those of `a`, 4..7 those of `b`. */
  & Instructions<"shuffle32", (a: Code, b: Code, lanes: readonly [number, number, number, number]) => Code> = {
    ...each({ not: 77, anyTrue: 83 }, unary, SIMD),
    ...each({ and: 78, andnot: 79, or: 80, xor: 81 }, binary, SIMD),
    ...each({ bitselect: 82 }, ternary, SIMD),
    ...each({ load: 0, load16x4S: 3, load16x4U: 4, load16Splat: 8, load32Splat: 9, load64Splat: 10 }, load, SIMD),
    ...each({ load32Zero: 92, load64Zero: 93 }, load, SIMD),
    ...each({ store: 11 }, store, SIMD),
    ...each(
      { load32Lane: 86, load64Lane: 87, store32Lane: 90, store64Lane: 91 },
      (op) => (lane: number, address: Code, vector: Code, offset = 0) => [address, vector, op, place(0, offset), lane],
      SIMD,
    ),
    const: (a, b, c, d) => [opcode(SIMD + 12), bytesOf(Int32Array.of(a, b, c, d))],
    shuffle32: (a, b, lanes) => [
      a,
      b,
      opcode(SIMD + 13),
      lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]),
    ],
  }

const lanes = (extract: number, replace: number): {
  extractLane: (vector: Code, lane: number) => Code
  replaceLane: (vector: Code, lane: number, value: Code) => Code
} => ({
  extractLane: (vector, lane) => [vector, opcode(SIMD + extract), lane],
  replaceLane: (vector, lane, value) => [vector, value, opcode(SIMD + replace), lane],
})

/** Sixteen lanes of bytes. */
export const i8x16:
  /* `swizzle(table, places)` is the byte of the table at each place, 0 for places from 16 on. */
  & Instructions<"swizzle" | "sub" | "eq", Binary>
  /* Lanes 0..15 are those of `a`, 16..31 those of `b`. */
  & Instructions<"shuffle", (a: Code, b: Code, lanes: ReadonlyArray<number>) => Code> = {
    ...each({ swizzle: 14, eq: 35, sub: 113 }, binary, SIMD),
    shuffle: (a, b, lanes) => [a, b, opcode(SIMD + 13), lanes],
  }

/** Eight lanes of 16 bits. Shifts take an i32 count. */
export const i16x8: Instructions<"shl" | "shrU", Binary> = each({ shl: 139, shrU: 141 }, binary, SIMD)

/** Four lanes of i32. Comparisons give all ones or zeros; shifts take an i32 count. */
export const i32x4:
  & Instructions<"splat" | "abs" | "neg" | "truncSat" | "allTrue" | "bitmask", Unary>
  & Instructions<
    | ("eq" | "ne" | "ltS" | "ltU" | "gtS" | "gtU" | "leS" | "leU" | "geS" | "geU")
    | ("shl" | "shrS" | "shrU" | "add" | "sub" | "mul" | "minS" | "minU" | "maxS" | "maxU"),
    Binary
  >
  & Instructions<"extractLane", (vector: Code, lane: number) => Code>
  & Instructions<"replaceLane", (vector: Code, lane: number, value: Code) => Code>
  /* The four lowest bytes of a vector, each with its sign (S) or zeros (U) extended to a lane. */
  & Instructions<"fromBytesS" | "fromBytesU", Unary>
  /* The four lowest 16 bits, and the four highest, each with its sign extended. */
  & Instructions<"fromHalvesS" | "fromUpperHalvesS", Unary>
  /* One constant in all lanes. */
  & Instructions<"const", (value: number) => Code> = {
    ...each({ fromHalvesS: 167, fromUpperHalvesS: 168 }, unary, SIMD),
    fromBytesS: (a) => [a, opcode(SIMD + 135), opcode(SIMD + 167)],
    fromBytesU: (a) => [a, opcode(SIMD + 137), opcode(SIMD + 169)],
    ...each({ splat: 17, abs: 160, neg: 161, truncSat: 248, allTrue: 163, bitmask: 164 }, unary, SIMD),
    ...each({ eq: 55, ne: 56, ltS: 57, ltU: 58, gtS: 59, gtU: 60, leS: 61, leU: 62, geS: 63, geU: 64 }, binary, SIMD),
    ...each({ shl: 171, shrS: 172, shrU: 173, add: 174, sub: 177, mul: 181 }, binary, SIMD),
    ...each({ minS: 182, minU: 183, maxS: 184, maxU: 185 }, binary, SIMD),
    ...lanes(27, 28),
    const: (value) => v128.const(value, value, value, value),
  }

/** Four lanes of f32. Comparisons give all ones or zeros. `min`, `max` propagate NaN; `pmin(a, b)` is b < a ? b : a. */
export const f32x4:
  & Instructions<
    "splat" | "abs" | "neg" | "sqrt" | "ceil" | "floor" | "trunc" | "nearest" | "convertS" | "convertU",
    Unary
  >
  & Instructions<
    "eq" | "ne" | "lt" | "gt" | "le" | "ge" | "add" | "sub" | "mul" | "div" | "min" | "max" | "pmin" | "pmax",
    Binary
  >
  /* a * b + c, rounded once where the machine has FMA. Needs relaxed SIMD: see `madd`. */
  & Instructions<"relaxedMadd", Ternary>
  & Instructions<"extractLane", (vector: Code, lane: number) => Code>
  & Instructions<"replaceLane", (vector: Code, lane: number, value: Code) => Code>
  /* One constant in all lanes. */
  & Instructions<"const", (value: number) => Code> = {
    ...each({ splat: 19, abs: 224, neg: 225, sqrt: 227, convertS: 250, convertU: 251 }, unary, SIMD),
    ...each({ ceil: 103, floor: 104, trunc: 105, nearest: 106 }, unary, SIMD),
    ...each({ eq: 65, ne: 66, lt: 67, gt: 68, le: 69, ge: 70 }, binary, SIMD),
    ...each({ add: 228, sub: 229, mul: 230, div: 231, min: 232, max: 233, pmin: 234, pmax: 235 }, binary, SIMD),
    ...each({ relaxedMadd: 0x105 }, ternary, SIMD),
    ...lanes(31, 32),
    const: (value) => {
      const bytes = bytesOf(Float32Array.of(value))
      return [opcode(SIMD + 12), bytes, bytes, bytes, bytes]
    },
  }

/** Two lanes of 64 bits, as numbers. */
export const f64x2:
  & Instructions<"extractLane", (vector: Code, lane: number) => Code>
  & Instructions<"replaceLane", (vector: Code, lane: number, value: Code) => Code> = lanes(33, 34)

/** Features of the machine that will run the code. */
export interface Target {
  /** Relaxed SIMD (fused multiply-add). Without it the plain SIMD form is emitted. */
  readonly relaxed: boolean
  /** Whether the engine joins vectors of 128 bits into such of 256. The results have the same bits. Default: no. */
  readonly wide?: boolean
}
/** `a * b + c` in four lanes: one rounding where the target has FMA, else two. */
export const madd = (target: Target, a: Code, b: Code, c: Code): Code =>
  target.relaxed ? f32x4.relaxedMadd(a, b, c) : f32x4.add(f32x4.mul(a, b), c)

/** Reads a local. */
export const get = (local: number): Code => [0x20, short(local)]
/** Writes a local. */
export const set = (local: number, value: Code): Code => [value, 0x21, short(local)]
/** Writes a local and gives the value. */
export const tee = (local: number, value: Code): Code => [value, 0x22, short(local)]
/** Reads a global. */
export const globalGet = (global: number): Code => [0x23, short(global)]
/** Writes a global. */
export const globalSet = (global: number, value: Code): Code => [value, 0x24, short(global)]
/** Calls a function of the module by its index. */
export const call = (func: number, ...args: readonly Code[]): Code => [args, 0x10, short(func)]
/** Discards a value. */
export const drop = (value: Code): Code => [value, 0x1a]
/** `a` where the i32 condition is not 0, else `b`; both are evaluated. */
export const select = (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b]
/** The lesser of two unsigned i32; both are evaluated twice. */
export const minU32 = (a: Code, b: Code): Code => select(a, b, i32.ltU(a, b))
/** Leaves the function with the values on the stack. */
export const ret = (...values: readonly Code[]): Code => [values, 0x0f]
/** Traps. */
export const unreachable: Code = [0x00]

/** A block; `br(0)` inside leaves it. */
export const block = (...body: readonly Code[]): Code => [0x02, 0x40, body, 0x0b]
/** A loop; `br(0)` inside starts it again, reaching the end leaves it. */
export const loop = (...body: readonly Code[]): Code => [0x03, 0x40, body, 0x0b]
/** Runs one of two pieces of code that leave nothing on the stack. Counts as one label for `br`. */
export const when = (condition: Code, then: Code, otherwise: Code = []): Code => [
  condition,
  [0x04, 0x40],
  then,
  otherwise.length > 0 ? [0x05, otherwise] : [],
  0x0b,
]
/** Like {@link when}, giving a value of `type`. */
export const choose = (type: ValueType, condition: Code, then: Code, otherwise: Code): Code => [
  condition,
  [0x04, TYPE_BYTE[type]],
  then,
  0x05,
  otherwise,
  0x0b,
]
/** Jumps to the label `depth` levels out. */
export const br = (depth: number): Code => [0x0c, short(depth)]
/** Jumps if the condition is not 0. */
export const brIf = (depth: number, condition: Code): Code => [condition, 0x0d, short(depth)]

/**
 * `for (local = start; local < end; local += step) body`, compared unsigned (so byte addresses above 2 GiB work).
 * `end` is evaluated at each turn: a local or a constant. The body is inside two labels.
 */
export const forRange = (local: number, start: Code, end: Code, step: number | Code, ...body: readonly Code[]): Code =>
  when(
    i32.ltU(tee(local, start), end),
    loop(
      body,
      brIf(0, i32.ltU(tee(local, i32.add(get(local), typeof step === "number" ? i32.const(step) : step)), end)),
    ),
  )
/** `while (condition) body`. The body is inside two labels. */
export const whileTrue = (condition: Code, ...body: readonly Code[]): Code =>
  block(loop(brIf(1, i32.eqz(condition)), body, br(0)))
/** `local += by`. */
export const increase = (local: number, by: number | Code): Code =>
  set(local, i32.add(get(local), typeof by === "number" ? i32.const(by) : by))

/** Copies `count` bytes; the ranges may overlap. */
export const memoryCopy = (to: Code, from: Code, count: Code): Code => [to, from, count, 0xfc, 10, 0, 0]
/** Sleeps while the i32 at the address equals `expected`, with no time limit. Gives 0 (woken) or 1 (not equal). */
export const atomicWait = (address: Code, expected: Code, offset = 0): Code => [
  address,
  expected,
  [0x42, 0x7f], // i64.const -1: for ever
  [0xfe, 0x01, 2, short(offset)],
]
/** Wakes up to `count` sleepers at the address (-1: all). Gives how many. */
export const atomicNotify = (address: Code, count: Code, offset = 0): Code => [
  address,
  count,
  [0xfe, 0x00, 2, short(offset)],
]

/** Makes locals of the function that is being written. */
export interface FunctionScope {
  /** A new local, 0 at the start of each call; its index is for `get`, `set`, `tee`. */
  readonly local: (type: ValueType) => number
}
/** A memory that a module imports from `env`. */
export interface MemoryImport {
  /** Its name there. Default `"memory"`. */
  readonly name?: string
  /** Pages of 64 KiB that must be there. */
  readonly initial: number
  /** Most pages; must not be less than the given memory's. */
  readonly maximum: number
  /** Whether it is a shared memory. */
  readonly shared: boolean
}

/** Collects types, imports, globals, functions and exports, and writes the module's bytes. */
export class ModuleBuilder {
  readonly #types = new Map<string, number>()
  readonly #typeCodes: Code[] = []
  readonly #imports: Code[] = []
  readonly #functions: { readonly name: string; readonly type: number; code: Code }[] = []
  readonly #globals: Code[] = []
  readonly #exports: Code[] = []
  readonly #shared = new Map<string, unknown>()

  #type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params}:${results}`
    const known = this.#types.get(key)
    if (known !== undefined) return known
    this.#types.set(key, this.#typeCodes.length)
    return this.#typeCodes.push([
      0x60,
      list(params.map((type) => [TYPE_BYTE[type]])),
      list(results.map((type) => [TYPE_BYTE[type]])),
    ]) - 1
  }

  /** Imports a memory; the first is number 0. More than one are not for all runtimes. */
  importMemory({ name = "memory", initial, maximum, shared }: MemoryImport): number {
    const kind = [0x02, shared ? 0x03 : 0x01]
    return this.#imports.push([text("env"), text(name), kind, short(initial), short(maximum)]) - 1
  }

  /** Adds a mutable i32 global (one an instance, so one a thread). Gives its index. */
  global(initial = 0): number {
    return this.#globals.push([TYPE_BYTE.i32, 0x01, i32.const(initial), 0x0b]) - 1
  }

  /**
   * The value of a v128 constant, read from a global: one load, where an immediate takes three instructions and the
   * busiest port (functions with many constants run twice as fast).
   */
  pooled(constant: Code): Code {
    const key = `constant_${flatten(constant)}`
    return globalGet(this.once(key, () => this.#globals.push([TYPE_BYTE.v128, 0x00, constant, 0x0b]) - 1))
  }

  /**
   * Adds a function; `body` gets the indices of the parameters and leaves the results on the stack. It may add other
   * functions meanwhile. Gives the function's index. The name is for stack traces and profiles.
   */
  func(
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
    body: (scope: FunctionScope, ...params: number[]) => Code,
  ): number {
    const entry = { name, type: this.#type(params, results), code: [] as Code }
    const index = this.#functions.push(entry) - 1
    const locals: Code[] = []
    const scope: FunctionScope = {
      local: (type) => params.length + locals.push([1, TYPE_BYTE[type]]) - 1,
    }
    const code = body(scope, ...params.keys())
    entry.code = sized([list(locals), code, 0x0b])
    return index
  }

  /** What `make` gave the first time this key was asked for, for each memory: shares functions among callers. */
  once<A>(given: string, make: () => A): A {
    const key = memory === 0 ? given : `${given} in memory ${memory}`
    if (!this.#shared.has(key)) this.#shared.set(key, make())
    return this.#shared.get(key) as A
  }

  /** Exports a function. */
  export(name: string, func: number): void {
    this.#exports.push([text(name), 0x00, short(func)])
  }

  /** The bytes of the module. */
  encode(): Uint8Array<ArrayBuffer> {
    const section = (id: number, content: Code): Code => [id, sized(content)]
    const names = this.#functions.map(({ name }, i): Code => [short(i), text(name)])
    return flatten([
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, list(this.#typeCodes)),
      section(2, list(this.#imports)),
      section(3, list(this.#functions.map(({ type }) => [short(type)]))),
      section(6, list(this.#globals)),
      section(7, list(this.#exports)),
      section(10, list(this.#functions.map(({ code }) => code))),
      section(0, [text("name"), section(1, list(names))]),
    ])
  }
}
