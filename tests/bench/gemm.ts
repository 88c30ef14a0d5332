/**
 * The products in float32 that the bench times: squares, and those of a LoRA step.
 *
 * A step is `count` products, each of operands of its own, that stay where they were computed: as many as make the cost of
 * asking for a step small. What a contestant reports as the loss is one element of the last product, {@link at}, so that all
 * can be seen to compute the same.
 * @module
 */

/** A product, [batch, m, k] by [batch, k, n]. */
export interface Product {
  /** What it is. */
  readonly name: string
  readonly batch: number
  readonly m: number
  readonly k: number
  readonly n: number
  /** Whether the left operand lies as [batch, k, m]. */
  readonly leftTransposed: boolean
  /** Whether the right operand lies as [batch, n, k]. */
  readonly rightTransposed: boolean
  /** Products of a step. */
  readonly count: number
}

/** Row and column of the element that is reported, of the last matrix. */
export const at = [3, 5] as const

/** Operations of a step, multiplications and additions. */
export const flopsOf = ({ batch, m, k, n, count }: Product): number => 2 * batch * m * k * n * count

const product = (
  name: string,
  [m, k, n]: readonly [number, number, number],
  lie: Partial<Pick<Product, "batch" | "leftTransposed" | "rightTransposed">> = {},
): Product => {
  const one = { name, batch: 1, m, k, n, leftTransposed: false, rightTransposed: false, count: 1, ...lie }
  return { ...one, count: Math.min(16, Math.ceil(2e8 / flopsOf(one))) }
}

/** Squares. */
export const squares: ReadonlyArray<Product> = [256, 512, 768, 1024, 1536, 2048].map((size) =>
  product(`${size} square`, [size, size, size])
)

/** Of a LoRA step on 16 rows of 128 tokens, width 384, 12 heads; A lies as [rank, width], B as [width, rank]. */
export const ofLora: ReadonlyArray<Product> = [
  ...[8, 16].flatMap((rank) => [
    product(`rank ${rank}: 2048x384 by 384x${rank}, right transposed (x A')`, [2048, 384, rank], {
      rightTransposed: true,
    }),
    product(`rank ${rank}: 2048x${rank} by ${rank}x384, right transposed (h B')`, [2048, rank, 384], {
      rightTransposed: true,
    }),
    product(`rank ${rank}: 2048x384 by 384x${rank} (dy B)`, [2048, 384, rank]),
    product(`rank ${rank}: 2048x${rank} by ${rank}x384 (dh A)`, [2048, rank, 384]),
    product(`rank ${rank}: 384x2048 by 2048x${rank}, left transposed (dy' h)`, [384, 2048, rank], {
      leftTransposed: true,
    }),
    product(`rank ${rank}: ${rank}x2048 by 2048x384, left transposed (dh' x)`, [rank, 2048, 384], {
      leftTransposed: true,
    }),
  ]),
  product("192 times 128x32 by 32x128, right transposed (q k')", [128, 32, 128], { batch: 192, rightTransposed: true }),
]

/** Elements of operand `number`, uniform from 0 to 1, in the order in which they lie. */
export const operand = (number: number, size: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: size }, (_, i) => ((i * 48271 + number * 7919) % 65537) / 65537)
