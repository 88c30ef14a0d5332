/**
 * Where the operands of a matrix product lie in WebAssembly's memory.
 * @module
 */
import { stepOf } from "../../wasm/lanes.ts"
import type { Encoding } from "../../encoding.ts"
import { F32 } from "../../encodings.ts"
import {
  type Code,
  type FunctionScope,
  get,
  i32,
  increase,
  type ModuleBuilder,
  select,
  set,
  type Target,
} from "../../wasm/assembler.ts"
import type { Product } from "../product.ts"

/** What the memory of the operands holds; see {@link Product} for their order. */
export interface Encodings {
  /** Of the left operand. */
  readonly a: Encoding
  /** Of the right operand. */
  readonly b: Encoding
  /** Of the views of the epilogue. */
  readonly beside: readonly Encoding[]
}

/** What the loops of a product are written for. */
export interface Writing {
  readonly module: ModuleBuilder
  readonly target: Target
  readonly product: Product
  readonly encodings: Encodings
}

/** Distances of a {@link Product} in bytes. */
export interface Distances {
  /** In a along m and k. */
  readonly a: { readonly m: number; readonly k: number }
  /** In b along k and n. */
  readonly b: { readonly k: number; readonly n: number }
  /** In the output along m and n. */
  readonly output: { readonly m: number; readonly n: number }
  /** In the views of the epilogue. */
  readonly beside: readonly { readonly m: number; readonly n: number }[]
}

/** Distances in bytes. */
export const distancesOf = (product: Product, encodings: Encodings): Distances => {
  const [a, b] = [stepOf(encodings.a), stepOf(encodings.b)]
  return {
    a: { m: a * product.a.m, k: a * product.a.k },
    b: { k: b * product.b.k, n: b * product.b.n },
    output: { m: 4 * product.output.m, n: 4 },
    beside: product.beside.map(({ m, n }, i) => {
      const bytes = stepOf(encodings.beside[i])
      return { m: bytes * m, n: bytes * n }
    }),
  }
}

/** Locals with addresses. */
export interface Places {
  /** In the left operand. */
  readonly a: number
  /** In the right operand. */
  readonly b: number
  /** In the output. */
  readonly output: number
  /** In the views of the epilogue. */
  readonly beside: readonly number[]
}

/**
 * Adds an entry's place along each batch axis, the innermost first.
 *
 * @param entry Local with the number of the entry; afterwards it is 0.
 */
export const enterEntry = ({ batch }: Product, encodings: Encodings, entry: number, places: Places): Code =>
  [...batch].reverse().map(({ extent, a, b, output, beside }): Code => {
    const index = i32.remU(get(entry), i32.const(extent))
    const enter = (place: number, encoding: Encoding, stride: number): Code =>
      stride === 0 ? [] : increase(place, scaled(index, stepOf(encoding) * stride))
    return [
      enter(places.a, encodings.a, a),
      enter(places.b, encodings.b, b),
      enter(places.output, F32, output),
      places.beside.map((place, i) => enter(place, encodings.beside[i], beside[i])),
      set(entry, i32.divU(get(entry), i32.const(extent))),
    ]
  })

/** A number times a constant. */
export const scaled = (index: Code, by: number): Code => i32.mul(index, i32.const(by))

/** The smaller of two, unsigned. */
export const minimum = (f: FunctionScope, a: Code, b: Code): Code => {
  const [x, y] = [f.local("i32"), f.local("i32")]
  return [set(x, a), set(y, b), select(get(x), get(y), i32.ltU(get(x), get(y)))]
}
