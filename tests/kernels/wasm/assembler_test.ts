import { assert, assertEquals } from "@std/assert"
import {
  atomicNotify,
  atomicWait,
  block,
  br,
  brIf,
  call,
  choose,
  type Code,
  drop,
  f32,
  f32x4,
  forRange,
  get,
  globalGet,
  globalSet,
  i32,
  i32x4,
  increase,
  inMemory,
  loop,
  madd,
  memoryCopy,
  ModuleBuilder,
  ret,
  select,
  set,
  unreachable,
  v128,
  type ValueType,
  whileTrue,
} from "../../../kernels/wasm/assembler.ts"

type Exports = Record<string, (...args: number[]) => number>

/** Builds a module whose exports are one function a case; the memory is shared so that atomics may wait. */
const build = (cases: Record<string, readonly [ValueType[], ValueType[], (...params: number[]) => Code]>) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true })
  const module = new ModuleBuilder()
  module.importMemory({ initial: 1, maximum: 2, shared: true })
  for (const [name, [params, results, body]] of Object.entries(cases)) {
    module.export(name, module.func(name, params, results, (_, ...locals) => body(...locals)))
  }
  const bytes = module.encode()
  assert(WebAssembly.validate(bytes))
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  return { call: instance.exports as Exports, memory }
}

Deno.test("scalar instructions compute what they are named after", () => {
  const integers: [string, number, number, number][] = [
    ["eq", 3, 3, 1],
    ["ne", 3, 3, 0],
    ["ltS", -1, 2, 1],
    ["ltU", -1, 2, 0],
    ["gtS", -1, 2, 0],
    ["gtU", -1, 2, 1],
    ["leS", -1, -1, 1],
    ["leU", -1, 2, 0],
    ["geS", -1, 2, 0],
    ["geU", -1, 2, 1],
    ["add", 2147483647, 1, -2147483648],
    ["sub", 3, 5, -2],
    ["mul", -7, 6, -42],
    ["divS", -7, 2, -3],
    ["divU", -2, 2, 2147483647],
    ["remS", -7, 4, -3],
    ["remU", 7, 4, 3],
    ["and", 12, 10, 8],
    ["or", 12, 10, 14],
    ["xor", 12, 10, 6],
    ["shl", 3, 4, 48],
    ["shrS", -16, 2, -4],
    ["shrU", -1, 28, 15],
    ["rotl", -2147483648, 1, 1],
    ["rotr", 1, 1, -2147483648],
  ]
  const floats: [string, number, number, number][] = [
    ["eq", 1, 1, 1],
    ["ne", 1, 1, 0],
    ["lt", 1, 2, 1],
    ["gt", 1, 2, 0],
    ["le", 2, 2, 1],
    ["ge", 1, 2, 0],
    ["add", 1.5, 2, 3.5],
    ["sub", 1.5, 2, -0.5],
    ["mul", 1.5, 2, 3],
    ["div", 3, 2, 1.5],
    ["min", 3, 2, 2],
    ["max", 3, 2, 3],
  ]
  const unaries: [string, number, number][] = [
    ["abs", -2.5, 2.5],
    ["neg", 2.5, -2.5],
    ["ceil", 1.2, 2],
    ["floor", -1.2, -2],
    ["trunc", -1.7, -1],
    ["nearest", 2.5, 2],
    ["sqrt", 9, 3],
  ]
  const comparisons = ["eq", "ne", "lt", "gt", "le", "ge"]
  const { call } = build(
    {
      ...Object.fromEntries(integers.map(([name]) => [
        `i_${name}`,
        [["i32", "i32"], ["i32"], (a: number, b: number) => i32[name as "add"](get(a), get(b))],
      ])),
      ...Object.fromEntries(floats.map(([name]) => [
        `f_${name}`,
        [
          ["f32", "f32"],
          [comparisons.includes(name) ? "i32" : "f32"],
          (a: number, b: number) => f32[name as "add"](get(a), get(b)),
        ],
      ])),
      ...Object.fromEntries(unaries.map(([name]) => [
        `u_${name}`,
        [["f32"], ["f32"], (a: number) => f32[name as "abs"](get(a))],
      ])),
      eqz: [["i32"], ["i32"], (a) => i32.eqz(get(a))],
      clz: [["i32"], ["i32"], (a) => i32.clz(get(a))],
      ctz: [["i32"], ["i32"], (a) => i32.ctz(get(a))],
      popcnt: [["i32"], ["i32"], (a) => i32.popcnt(get(a))],
      truncSat: [["f32"], ["i32"], (a) => i32.truncSat(get(a))],
      bits: [["f32"], ["i32"], (a) => i32.reinterpret(get(a))],
      fromBits: [["i32"], ["f32"], (a) => f32.reinterpret(get(a))],
      convert: [["i32"], ["f32"], (a) => f32.convert(get(a))],
      constants: [[], ["f32"], () => f32.add(f32.const(-0.125), f32.convert(i32.const(-123456)))],
      select: [["i32"], ["i32"], (a) => select(i32.const(300), i32.const(-300), get(a))],
    } as Parameters<typeof build>[0],
  )
  for (const [name, a, b, expected] of integers) assertEquals(call[`i_${name}`](a, b), expected, `i32.${name}`)
  for (const [name, a, b, expected] of floats) assertEquals(call[`f_${name}`](a, b), expected, `f32.${name}`)
  for (const [name, a, expected] of unaries) assertEquals(call[`u_${name}`](a), expected, `f32.${name}`)
  assertEquals(["eqz", "clz", "ctz", "popcnt"].map((name) => call[name](8)), [0, 28, 3, 1])
  assertEquals([call.truncSat(-2.9), call.truncSat(NaN), call.truncSat(1e20)], [-2, 0, 2147483647])
  assertEquals([call.bits(1), call.fromBits(0x40000000), call.convert(-5)], [0x3f800000, 2, -5])
  assertEquals(call.constants(), -123456.125)
  assertEquals([call.select(1), call.select(0)], [300, -300])
})

Deno.test("vector instructions compute what they are named after", () => {
  const A = [1.5, -2.5, 3.5, -0.5]
  const B = [2, -2.5, -4, 8]
  const I = [5, -7, 2147483647, 0]
  const J = [3, -7, 1, -1]
  const mask = (bits: boolean[]) => bits.map((bit) => bit ? -1 : 0)
  const floats: Record<string, number[]> = {
    add: A.map((a, i) => a + B[i]),
    sub: A.map((a, i) => a - B[i]),
    mul: A.map((a, i) => a * B[i]),
    div: A.map((a, i) => Math.fround(a / B[i])),
    min: A.map((a, i) => Math.min(a, B[i])),
    max: A.map((a, i) => Math.max(a, B[i])),
    pmin: A.map((a, i) => Math.min(a, B[i])),
    pmax: A.map((a, i) => Math.max(a, B[i])),
  }
  const floatMasks: Record<string, number[]> = {
    eq: mask(A.map((a, i) => a === B[i])),
    ne: mask(A.map((a, i) => a !== B[i])),
    lt: mask(A.map((a, i) => a < B[i])),
    gt: mask(A.map((a, i) => a > B[i])),
    le: mask(A.map((a, i) => a <= B[i])),
    ge: mask(A.map((a, i) => a >= B[i])),
  }
  const u = (x: number) => x >>> 0
  const integers: Record<string, number[]> = {
    add: I.map((a, i) => a + J[i] | 0),
    sub: I.map((a, i) => a - J[i] | 0),
    mul: I.map((a, i) => Math.imul(a, J[i])),
    minS: I.map((a, i) => Math.min(a, J[i])),
    maxS: I.map((a, i) => Math.max(a, J[i])),
    minU: I.map((a, i) => Math.min(u(a), u(J[i])) | 0),
    maxU: I.map((a, i) => Math.max(u(a), u(J[i])) | 0),
    eq: mask(I.map((a, i) => a === J[i])),
    ne: mask(I.map((a, i) => a !== J[i])),
    ltS: mask(I.map((a, i) => a < J[i])),
    ltU: mask(I.map((a, i) => u(a) < u(J[i]))),
    gtS: mask(I.map((a, i) => a > J[i])),
    gtU: mask(I.map((a, i) => u(a) > u(J[i]))),
    leS: mask(I.map((a, i) => a <= J[i])),
    leU: mask(I.map((a, i) => u(a) <= u(J[i]))),
    geS: mask(I.map((a, i) => a >= J[i])),
    geU: mask(I.map((a, i) => u(a) >= u(J[i]))),
  }
  const [a, b, i, j] = [0, 16, 32, 48].map((address) => v128.load(i32.const(address)))
  const to = (name: string, value: Code) => [name, [[], [], () => v128.store(i32.const(64), value, 16)]]
  const { call, memory } = build(Object.fromEntries([
    ...[...Object.keys(floats), ...Object.keys(floatMasks)].map((op) => to(`f_${op}`, f32x4[op as "add"](a, b))),
    ...Object.keys(integers).map((op) => to(`i_${op}`, i32x4[op as "add"](i, j))),
    ...["abs", "neg", "ceil", "floor", "trunc", "nearest"].map((op) => to(op, f32x4[op as "abs"](a))),
    to("sqrt", f32x4.sqrt(f32x4.abs(b))),
    to("truncSat", i32x4.truncSat(a)),
    to("convertS", f32x4.convertS(j)),
    to("convertU", f32x4.convertU(j)),
    to("iabs", i32x4.abs(j)),
    to("ineg", i32x4.neg(j)),
    to("shl", i32x4.shl(j, i32.const(4))),
    to("shrS", i32x4.shrS(j, i32.const(1))),
    to("shrU", i32x4.shrU(j, i32.const(28))),
    to("and", v128.and(i, j)),
    to("andnot", v128.andnot(i, j)),
    to("or", v128.or(i, j)),
    to("xor", v128.xor(i, j)),
    to("not", v128.not(j)),
    to("bitselect", v128.bitselect(a, b, v128.const(-1, 0, 0, -1))),
    to("shuffle", v128.shuffle32(a, b, [7, 0, 4, 2])),
    to("splat", f32x4.splat(f32.const(2.5))),
    to("fromBytesS", i32x4.fromBytesS(i32x4.const(0x7f80ff01))),
    to("isplat", i32x4.splat(i32.const(-9))),
    to("const", f32x4.const(0.1)),
    to("iconst", i32x4.const(70000)),
    to("replace", f32x4.replaceLane(a, 2, f32.const(9))),
    to("ireplace", i32x4.replaceLane(i, 3, i32x4.extractLane(j, 1))),
    to("load32Splat", v128.load32Splat(i32.const(0), 8)),
    to("load64Splat", v128.load64Splat(i32.const(0), 8)),
    to("load32Zero", v128.load32Zero(i32.const(0), 8)),
    to("load64Zero", v128.load64Zero(i32.const(0), 8)),
    to("load16x4U", v128.load16x4U(i32.const(48))),
    to("load16x4S", v128.load16x4S(i32.const(48))),
    to("load32Lane", v128.load32Lane(2, i32.const(16), a, 12)),
    to("load64Lane", v128.load64Lane(1, i32.const(16), a, 8)),
    to("relaxed", madd({ relaxed: true }, a, b, a)),
    to("plain", madd({ relaxed: false }, a, b, a)),
    ["storeLanes", [[], [], () => [
      v128.store(i32.const(80), i32x4.const(0)),
      v128.store32Lane(3, i32.const(80), a),
      v128.store64Lane(0, i32.const(80), b, 8),
    ]]],
    ["extract", [[], ["f32"], () => f32x4.extractLane(b, 3)]],
    ["anyTrue", [[], ["i32"], () => v128.anyTrue(i32x4.eq(i, j))]],
    ["allTrue", [[], ["i32"], () => i32x4.allTrue(i)]],
    ["bitmask", [[], ["i32"], () => i32x4.bitmask(j)]],
  ]))
  const f = new Float32Array(memory.buffer)
  const n = new Int32Array(memory.buffer)
  f.set([...A, ...B])
  n.set([...I, ...J], 8)
  const result = (name: string, view: Float32Array | Int32Array) => {
    call[name]()
    return [...view.subarray(20, 24)]
  }
  for (const [op, expected] of Object.entries(floats)) assertEquals(result(`f_${op}`, f), expected, `f32x4.${op}`)
  for (const [op, expected] of Object.entries(floatMasks)) assertEquals(result(`f_${op}`, n), expected, `f32x4.${op}`)
  for (const [op, expected] of Object.entries(integers)) assertEquals(result(`i_${op}`, n), expected, `i32x4.${op}`)
  const half = new Uint16Array(Int32Array.from(J).buffer)
  const expectedFloats: Record<string, number[]> = {
    abs: [1.5, 2.5, 3.5, 0.5],
    neg: [-1.5, 2.5, -3.5, 0.5],
    ceil: [2, -2, 4, -0],
    floor: [1, -3, 3, -1],
    trunc: [1, -2, 3, -0],
    nearest: [2, -2, 4, -0],
    sqrt: B.map((x) => Math.fround(Math.sqrt(Math.abs(x)))),
    convertS: J,
    convertU: J.map((x) => Math.fround(u(x))),
    bitselect: [1.5, -2.5, -4, -0.5],
    shuffle: [8, 1.5, 2, 3.5],
    splat: [2.5, 2.5, 2.5, 2.5],
    const: Array(4).fill(Math.fround(0.1)),
    replace: [1.5, -2.5, 9, -0.5],
    load32Splat: [3.5, 3.5, 3.5, 3.5],
    load64Splat: [3.5, -0.5, 3.5, -0.5],
    load32Zero: [3.5, 0, 0, 0],
    load64Zero: [3.5, -0.5, 0, 0],
    load32Lane: [1.5, -2.5, 8, -0.5],
    load64Lane: [1.5, -2.5, -4, 8],
    relaxed: A.map((x, k) => x * B[k] + x),
    plain: A.map((x, k) => x * B[k] + x),
    storeLanes: [-0.5, 0, 2, -2.5],
  }
  const expectedIntegers: Record<string, number[]> = {
    truncSat: [1, -2, 3, 0],
    iabs: [3, 7, 1, 1],
    ineg: [-3, 7, -1, 1],
    shl: J.map((x) => x << 4),
    shrS: J.map((x) => x >> 1),
    shrU: J.map((x) => x >>> 28),
    and: I.map((x, k) => x & J[k]),
    andnot: I.map((x, k) => x & ~J[k]),
    or: I.map((x, k) => x | J[k]),
    xor: I.map((x, k) => x ^ J[k]),
    not: J.map((x) => ~x),
    isplat: [-9, -9, -9, -9],
    fromBytesS: [1, -1, -128, 127],
    iconst: [70000, 70000, 70000, 70000],
    ireplace: [5, -7, 2147483647, -7],
    load16x4U: [...half.subarray(0, 4)],
    load16x4S: [...new Int16Array(half.buffer, 0, 4)],
  }
  for (const [op, expected] of Object.entries(expectedFloats)) assertEquals(result(op, f), expected, op)
  for (const [op, expected] of Object.entries(expectedIntegers)) assertEquals(result(op, n), expected, op)
  assertEquals([call.extract(), call.anyTrue(), call.allTrue(), call.bitmask()], [8, 1, 0, 0b1010])
})

Deno.test("memory, atomics and bytes", () => {
  const at = i32.const
  const { call, memory } = build({
    store: [["i32", "f32"], [], (a, x) => f32.store(get(a), get(x), 1000)],
    load: [["i32"], ["f32"], (a) => f32.load(get(a), 1000)],
    storeI: [["i32"], [], (x) => i32.store(at(0), get(x))],
    loadI: [[], ["i32"], () => i32.load(at(0))],
    bytes: [["i32"], [], (x) => [i32.store8(at(8), get(x)), i32.store16(at(10), get(x))]],
    load8S: [[], ["i32"], () => i32.load8S(at(8))],
    load8U: [[], ["i32"], () => i32.load8U(at(8))],
    load16S: [[], ["i32"], () => i32.load16S(at(10))],
    load16U: [[], ["i32"], () => i32.load16U(at(10))],
    atomicAdd: [["i32"], ["i32"], (x) => i32.atomicAdd(at(16), get(x))],
    atomicExchange: [["i32"], ["i32"], (x) => i32.atomicExchange(at(16), get(x))],
    atomicStore: [["i32"], [], (x) => i32.atomicStore(at(12), get(x), 4)],
    atomicLoad: [[], ["i32"], () => i32.atomicLoad(at(16))],
    wait: [["i32"], ["i32"], (x) => atomicWait(at(12), get(x), 4)],
    notify: [[], ["i32"], () => atomicNotify(at(16), at(-1))],
    fill: [[], [], () => i32.store(at(32), at(0x07070707))],
    copy: [[], [], () => memoryCopy(at(34), at(32), at(4))],
  })
  call.store(40, 2.5)
  assertEquals([call.load(40), new Float32Array(memory.buffer)[260]], [2.5, 2.5])
  call.storeI(-77)
  assertEquals(call.loadI(), -77)
  call.bytes(-2)
  assertEquals([call.load8S(), call.load8U(), call.load16S(), call.load16U()], [-2, 254, -2, 65534])
  call.atomicStore(5)
  assertEquals([call.atomicAdd(3), call.atomicLoad(), call.atomicExchange(-1), call.atomicLoad()], [5, 8, 8, -1])
  assertEquals([call.notify(), call.wait(3)], [0, 1]) // nobody sleeps; the value is not 3, so wait returns
  call.fill()
  call.copy()
  assertEquals([...new Uint8Array(memory.buffer, 32, 7)], [7, 7, 7, 7, 7, 7, 0])
})

Deno.test("control flow, calls, globals and shared functions", () => {
  const module = new ModuleBuilder()
  const twice = module.func("twice", ["i32"], ["i32"], (_, x) => i32.mul(get(x), i32.const(2)))
  const counter = module.global(40)
  const sum = module.func("sum", ["i32", "i32", "i32"], ["i32"], (f, from, to, step) => {
    const i = f.local("i32")
    const total = f.local("i32")
    return [forRange(i, get(from), get(to), get(step), increase(total, get(i))), get(total)]
  })
  module.export("sum", sum)
  module.export(
    "factorial",
    module.func("factorial", ["i32"], ["i32"], (f, n) => {
      const product = f.local("i32")
      return [
        set(product, i32.const(1)),
        whileTrue(i32.gtS(get(n), i32.const(1)), set(product, i32.mul(get(product), get(n))), increase(n, -1)),
        get(product),
      ]
    }),
  )
  module.export(
    "parity",
    module.func("parity", ["i32"], ["i32"], (_, n) => [
      block(brIf(0, i32.geS(get(n), i32.const(0))), ret(i32.const(-1)), unreachable),
      choose("i32", i32.and(get(n), i32.const(1)), i32.const(1), i32.const(2)),
    ]),
  )
  module.export(
    "next",
    module.func("next", [], ["i32"], () => [
      loop(block(br(0))),
      drop(i32.const(1)),
      globalSet(counter, i32.add(globalGet(counter), i32.const(1))),
      call(twice, globalGet(counter)),
    ]),
  )
  const pooled = [2.5, -1, 2.5].map((value) => f32x4.extractLane(module.pooled(f32x4.const(value)), 3))
  module.export(
    "pooled",
    module.func("pooled", [], ["f32"], () => f32.add(f32.mul(pooled[0], pooled[1]), pooled[2])),
  )
  const shared = () => module.once("key", () => module.func("shared", [], [], () => []))
  assertEquals(shared(), shared())
  const bytes = module.encode()
  assert(WebAssembly.validate(bytes))
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes))
  const exports = instance.exports as Exports
  assertEquals([exports.sum(0, 10, 1), exports.sum(3, 10, 4), exports.sum(5, 5, 1)], [45, 10, 0])
  assertEquals(exports.sum(-4, -2, 1), -7) // addresses in the upper half of the memory
  assertEquals([exports.factorial(6), exports.factorial(0)], [720, 1])
  assertEquals([exports.parity(3), exports.parity(4), exports.parity(-3)], [1, 2, -1])
  assertEquals([exports.next(), exports.next()], [82, 84])
  assertEquals(exports.pooled(), 0)
})

Deno.test("loads and stores in a scope use another memory, and so do functions that are made there", () => {
  const memories = [1, 2].map(() => new WebAssembly.Memory({ initial: 1, maximum: 1 }))
  const module = new ModuleBuilder()
  const pages = { initial: 1, maximum: 1, shared: false }
  assertEquals([module.importMemory(pages), module.importMemory({ ...pages, name: "memory1" })], [0, 1])
  const third = (): number =>
    module.once("third", () => module.func("third", [], ["i32"], () => i32.load(i32.const(8))))
  const lane = (memory: number, offset: number): Code =>
    inMemory(memory, () => v128.load32Lane(0, i32.const(0), v128.const(0, 0, 0, 0), offset))
  const cases: Record<string, Code> = {
    first: i32.load(i32.const(4)),
    second: inMemory(1, () => i32.load(i32.const(4))),
    inner: inMemory(1, () => i32.add(i32.load(i32.const(4)), inMemory(0, () => i32.load(i32.const(4))))),
    lane: i32x4.extractLane(lane(1, 400), 0),
    shared: i32.sub(inMemory(1, () => call(third())), call(third())),
  }
  for (const [name, code] of Object.entries(cases)) module.export(name, module.func(name, [], ["i32"], () => code))
  const store = inMemory(1, () => i32.store(i32.const(0), i32.const(9), 400))
  module.export("store", module.func("store", [], [], () => store))
  const env = { memory: memories[0], memory1: memories[1] }
  const exports = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env }).exports as Exports
  for (const [i, memory] of memories.entries()) new Int32Array(memory.buffer).set([0, 10 + i, 20 + 5 * i])
  exports.store()
  const got = Object.fromEntries(Object.keys(cases).map((name) => [name, exports[name]()]))
  assertEquals(got, { first: 10, second: 11, inner: 21, lane: 9, shared: 5 })
  assertEquals(new Int32Array(memories[0].buffer)[100], 0)
})
