/**
 * Functions that WGSL lacks or lets a device compute too roughly (its `log` may be off by 5e-7, its `sin` by 5e-4, its
 * `tanh` overflows on some), for one f32 or four.
 *
 * Errors against float64: exp, log, tanh, sigmoid within 1e-6 relative; erf, sin, cos within 1e-6 absolute (sin and cos
 * for |x| up to 1e4). NaN goes through. Polynomials are those of Moshier's Cephes (single precision); erf is the
 * rational of Eigen.
 * @module
 */
import { PARITY, ROTATIONS } from "../../core/tensor/operations/threefry.ts"
import { COSINE, ERF_ABOVE, ERF_BELOW, EXP, LOG, SINE } from "../polynomials.ts"

/** How many places one invocation has in one value. */
export type Lanes = 1 | 4
/** What {@link functionsText} can write. */
export type FunctionName = keyof typeof WRITERS

/** Names of the types with one or four lanes. */
interface Types {
  readonly f: string
  readonly i: string
  readonly u: string
  readonly lanes: Lanes
}
const typesOf = (lanes: Lanes): Types => {
  const type = (element: string) => lanes === 1 ? element : `vec4<${element}>`
  return { f: type("f32"), i: type("i32"), u: type("u32"), lanes }
}

/** Horner's scheme, the highest power first. */
const polynomial = (x: string, [highest, ...rest]: ReadonlyArray<number>): string =>
  rest.reduce((sum, c) => `(${sum} * ${x} + ${c < 0 ? `(${f32(c)})` : f32(c)})`, f32(highest))
/** A finite number as a literal. */
const f32 = (value: number): string => `${Math.fround(value)}f`

/** Both halves of a sine: x = n * pi/2 + r (Cody and Waite in three parts), then one of two polynomials. */
const sine = (quarters: number) => ({ f, i, u }: Types): string =>
  `(x: ${f}) -> ${f} {
  let n = floor(x * ${f32(2 / Math.PI)} + 0.5f);
  let r = ((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.54978995489188e-8f;
  let q = bitcast<${u}>(${i}(n)) + ${u}(${quarters}u);
  let z = r * r;
  let cosine = ${polynomial("z", COSINE)};
  let sine = ${polynomial("z", SINE)} * z * r + r;
  let either = select(sine, cosine, (q & ${u}(1u)) != ${u}(0u));
  return select(either, -either, (q & ${u}(2u)) != ${u}(0u));
}`

/** Threefry-2x32, 20 rounds: see `core/tensor/operations/threefry.ts`. */
const uniform = ({ f, i, u }: Types): string => {
  const rounds = Array.from({ length: 20 }, (_, round) => {
    const rotation = ROTATIONS[round % 8], injection = (round + 1) / 4
    return [
      `  x0 += x1;`,
      `  x1 = ((x1 << ${u}(${rotation}u)) | (x1 >> ${u}(${32 - rotation}u))) ^ x0;`,
      ...round % 4 !== 3
        ? []
        : [`  x0 += k${injection % 3};`, `  x1 += k${(injection + 1) % 3} + ${u}(${injection}u);`],
    ].join("\n")
  })
  return `(index: ${i}, salt: ${i}, key0: ${i}, key1: ${i}) -> ${f} {
  let k0 = bitcast<${u}>(key0);
  let k1 = bitcast<${u}>(key1);
  let k2 = ${u}(${PARITY}u) ^ k0 ^ k1;
  var x0 = bitcast<${u}>(index) + k0;
  var x1 = bitcast<${u}>(salt) + k1;
${rounds.join("\n")}
  return ${f}(x0 >> ${u}(8u)) * ${f32(2 ** -24)};
}`
}

/** The text behind the name of each function. */
const WRITERS = {
  /** Constants that no literal has. As a function's result it is no constant expression, which may not be infinite. */
  from_bits: (): string =>
    `(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}`,
  /** By the bits: compilers take `x != x` for false. */
  is_nan: ({ f, u, lanes }: Types): string =>
    `(x: ${f}) -> ${lanes === 1 ? "bool" : "vec4<bool>"} {
  return (bitcast<${u}>(x) & ${u}(0x7fffffffu)) > ${u}(0x7f800000u);
}`,
  /** `max` may lose a NaN. */
  maximum: ({ f, lanes }: Types): string =>
    `(a: ${f}, b: ${f}) -> ${f} {
  return select(select(a, b, a < b), b, is_nan_${lanes}(b));
}`,
  minimum: ({ f, lanes }: Types): string =>
    `(a: ${f}, b: ${f}) -> ${f} {
  return select(select(a, b, a > b), b, is_nan_${lanes}(b));
}`,
  /** Towards zero, saturating; NaN gives 0. */
  to_int: ({ f, i, lanes }: Types): string =>
    `(x: ${f}) -> ${i} {
  let whole = ${i}(clamp(x, ${f}(-2147483648f), ${f}(2147483520f)));
  return select(select(whole, ${i}(2147483647), x >= ${f}(2147483648f)), ${i}(0), is_nan_${lanes}(x));
}`,
  /** 2^n * e^r, n = round(x / ln 2). The scale is 2^(n-1) and the polynomial doubled, so that n = 128 needs no care. */
  exp: ({ f, i, u }: Types): string =>
    `(x: ${f}) -> ${f} {
  let n = clamp(floor(x * ${f32(Math.LOG2E)} + 0.5f), ${f}(-125f), ${f}(128f));
  let r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  let p = ${polynomial("r", EXP)};
  return select(p * bitcast<${f}>((${i}(n) + ${i}(126)) << ${u}(23u)), ${f}(0f), x < ${f}(-86.9f));
}`,
  /** log(m * 2^e) with m in [sqrt(1/2), sqrt(2)). */
  log: ({ f, i, u }: Types): string =>
    `(x: ${f}) -> ${f} {
  let subnormal = x < ${f}(${f32(2 ** -126)});
  let bits = bitcast<${i}>(select(x, x * 8388608f, subnormal));
  let shift = (bits - ${i}(0x3f3504f3)) >> ${u}(23u);
  let m = bitcast<${f}>(bits - (shift << ${u}(23u))) - 1f;
  let e = ${f}(shift - select(${i}(0), ${i}(23), subnormal));
  let z = m * m;
  let p = ${polynomial("m", LOG)};
  let y = ((p * m * z - e * 2.12194440e-4f) - 0.5f * z + m) + e * 0.693359375f;
  let finite = select(x, y, bitcast<${u}>(x) < ${u}(0x7f800000u));
  let negative = select(finite, ${f}(from_bits_1(0x7fc00000u)), x < ${f}(0f));
  return select(negative, ${f}(from_bits_1(0xff800000u)), x == ${f}(0f));
}`,
  /** 1 - 2 / (e^2|x| + 1), and an odd polynomial near 0, where that would cancel. */
  tanh: ({ f, lanes }: Types): string =>
    `(x: ${f}) -> ${f} {
  let size = abs(x);
  let far = 1f - 2f / (exp_${lanes}(size + size) + 1f);
  let z = x * x;
  let near = ${
      polynomial("z", [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])
    } * z * x + x;
  return select(near, select(far, -far, x < ${f}(0f)), size >= ${f}(0.625f));
}`,
  sigmoid: ({ f, lanes }: Types): string =>
    `(x: ${f}) -> ${f} {
  return 1f / (1f + exp_${lanes}(-x));
}`,
  /** x * P(x^2) / Q(x^2), on [-4, 4], where it reaches 1. */
  erf: ({ f, lanes }: Types): string =>
    `(x: ${f}) -> ${f} {
  let y = clamp(x, ${f}(-4f), ${f}(4f));
  let z = y * y;
  let p = ${polynomial("z", ERF_ABOVE)};
  let q = ${polynomial("z", ERF_BELOW)};
  return select(y * p / q, x, is_nan_${lanes}(x));
}`,
  sin: sine(0),
  cos: sine(1),
  uniform,
} satisfies Readonly<Record<string, (types: Types) => string>>

/** What a function calls, each before those that call it. */
const CALLS: Partial<Record<FunctionName, ReadonlyArray<FunctionName>>> = {
  maximum: ["is_nan"],
  minimum: ["is_nan"],
  to_int: ["is_nan"],
  erf: ["is_nan"],
  log: ["from_bits"],
  tanh: ["exp"],
  sigmoid: ["exp"],
}

/** Functions that one shader uses. */
export interface Functions {
  /** Name of a function in the code, which is then declared; `from_bits` has one lane only. */
  readonly use: (name: FunctionName, lanes: Lanes) => string
  /** Declarations of all that were used so far. */
  readonly text: () => string
}

/** Begins to collect the functions of one shader. */
export const collectFunctions = (): Functions => {
  const declarations = new Map<string, string>()
  const use = (name: FunctionName, lanes: Lanes): string => {
    const width = name === "from_bits" ? 1 : lanes
    const full = `${name}_${width}`
    if (!declarations.has(full)) {
      for (const callee of CALLS[name] ?? []) use(callee, lanes)
      declarations.set(full, `fn ${full}${WRITERS[name](typesOf(width))}\n`)
    }
    return full
  }
  return { use, text: () => [...declarations.values()].join("") }
}
