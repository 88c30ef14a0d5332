import type { ParameterSpec } from "../contracts/parameter.ts"
import { sizeOf } from "../tensor/shape.ts"
import { threefry2x32 } from "../tensor/operations/threefry.ts"
import { hash } from "./hash.ts"

/** First values of a parameter: a pure function of the seed (up to 53 bits) and its key. */
export function initialValues({ shape, initializer }: ParameterSpec, seed: number, key: string): Float32Array {
  if (initializer.kind === "values") return initializer.data
  const values = new Float32Array(sizeOf(shape))
  if (initializer.kind === "zeros") return values
  if (initializer.kind === "ones") return values.fill(1)
  const [key0, key1] = threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32), hash(key), 0)
  for (let i = 0; i < values.length; i++) {
    const [first, second] = threefry2x32(key0, key1, i, 0)
    if (initializer.kind === "uniform") values[i] = (first * 2 ** -31 - 1) * initializer.bound
    // Box-Muller; the half keeps the logarithm's argument above 0.
    else {
      const radius = Math.sqrt(-2 * Math.log((first + 0.5) * 2 ** -32))
      values[i] = initializer.std * radius * Math.cos(2 * Math.PI * second * 2 ** -32)
    }
  }
  return values
}
