import { broadcastBox, isWholeAxis } from "../box.ts"
import { batchSum, sum } from "../operations/broadcast.ts"
import { add, lessEqual, mul, where } from "../operations/elementwise.ts"
import { concat, narrow, pad, permute, reshape } from "../operations/views.ts"
import { show } from "../shape.ts"
import { ShapeError } from "../shape_error.ts"
import { node, type Operation, type Tensor } from "../tensor.ts"

/** Contribution of the input `distance` steps before a step. */
type Tap = (distance: number) => Tensor

/** Depthwise convolution of x [B, T, C] with weight [C, K], and places i32 [1 or B, T] where rows hold several sequences. */
export const causalConvolutionOperation: Operation = {
  name: "causalConvolution",
  decompose: ({ inputs: [x, weight, places] }) => taps(weight, earlier(x, weight, places)),
  derivative: ({ inputs: [x, weight, places] }, cotangent) => {
    const before = earlier(x, weight, places)
    const [rows, , channels] = x.shape
    // Sums over a row first, so that examples can be told apart.
    const shares = Array.from({ length: weight.shape[1] }, (_, distance) => {
      const ofRows = sum(mul(cotangent, before(distance)), [1])
      return reshape(ofRows, [rows, channels, 1])
    })
    const toWeight = batchSum(concat(shares.toReversed(), 2))
    return [taps(weight, later(cotangent, weight, places)), toWeight, undefined]
  },
  slice: (n, box) => {
    const [rows, steps, channels] = box, [, weight, ...places] = n.inputs
    if (!isWholeAxis(n, box, 1)) return undefined
    return [box, [channels, [0, weight.shape[1]]], ...places.map(({ shape }) => broadcastBox(shape, [rows, steps]))]
  },
}

/** The sum over distances of what `tap` gives times the weight for that distance. */
function taps(weight: Tensor, tap: Tap): Tensor {
  const [channels, size] = weight.shape
  // The weights of a distance side by side.
  const columns = reshape(permute(weight, [1, 0]), [size * channels])
  const terms = Array.from({ length: size }, (_, distance) => {
    const first = (size - 1 - distance) * channels
    return mul(tap(distance), narrow(columns, 0, first, first + channels))
  })
  return terms.reduce((a, b) => add(a, b))
}

/** x of the step that lies a distance before each, 0 where that is none of the sequence. */
function earlier(x: Tensor, { shape: [, size] }: Tensor, places: Tensor | undefined): Tap {
  const length = x.shape[1], most = size - 1
  const padded = pad(x, [0, most, 0], [0, 0, 0])
  return (distance) => {
    const moved = narrow(padded, 1, most - distance, most - distance + length)
    return distance === 0 || places === undefined ? moved : where(reaches(places, distance), moved, 0)
  }
}

/** x of the step that lies a distance after each, 0 where that is none of the sequence. */
function later(x: Tensor, { shape: [, size] }: Tensor, places: Tensor | undefined): Tap {
  const length = x.shape[1]
  const padded = pad(x, [0, 0, 0], [0, size - 1, 0])
  // Beyond the end no step reaches back.
  const own = places === undefined ? undefined : pad(places, [0, 0], [0, size - 1])
  return (distance) => {
    const moved = narrow(padded, 1, distance, distance + length)
    return distance === 0 || own === undefined
      ? moved
      : where(reaches(narrow(own, 1, distance, distance + length), distance), moved, 0)
  }
}

/** Whether the step that lies a distance before a place belongs to its sequence: [1 or B, T, 1]. */
const reaches = (places: Tensor, distance: number): Tensor => reshape(lessEqual(distance, places), [...places.shape, 1])

/**
 * Causal depthwise convolution: y[b, t, c] = sum over j of weight[c, K - 1 - j] x[b, t - j, c], where x is 0 before the
 * first step. x f32 [B, T, C], weight f32 [C, K], as torch's `Conv1d` with `groups` C and K - 1 zeros before has them. Throws
 * {@link ShapeError} where shapes do not fit.
 *
 * @param places Number of steps of each step's sequence before it, i32 [1 or B, T], where a row holds several sequences: none
 * sees another's. Default: a row is one sequence.
 */
export function causalConvolution(x: Tensor, weight: Tensor, places?: Tensor): Tensor {
  const [rows, length, channels] = x.shape
  const fits = x.shape.length === 3 && weight.shape.length === 2 && weight.shape[0] === channels &&
    weight.shape[1] > 0 &&
    x.dtype === "f32" && weight.dtype === "f32"
  const placed = places === undefined || places.dtype === "i32" && places.shape.length === 2 &&
      [1, rows].includes(places.shape[0]) && places.shape[1] === length
  if (!fits || !placed) {
    const given = [x, weight, ...(places === undefined ? [] : [places])].map(({ dtype, shape }) => dtype + show(shape))
    throw new ShapeError({
      message: `causalConvolution takes f32[B, T, C], a weight f32[C, K] and places i32[1 or B, T], got ${
        given.join(", ")
      }`,
    })
  }
  return node(causalConvolutionOperation, [x, weight, ...(places === undefined ? [] : [places])], x.shape, "f32")
}
