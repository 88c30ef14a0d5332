import type { Data, Encoding } from "../../core/data/data.ts"
import { encode } from "../../core/data/encode.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"

/** Lengths of examples in tokens, special ones included. */
export interface Lengths {
  /** Number of examples that were encoded. */
  readonly examples: number
  /** Mean length. */
  readonly mean: number
  /** The length that so many percent are not above; 100: the longest. */
  readonly percentiles: Readonly<Record<"50" | "90" | "95" | "99" | "100", number>>
  /** Share of the examples that are cut. */
  readonly cut: number
  /** Share of the tokens that are cut off. */
  readonly lost: number
}

/** Rows that are encoded: a sample says what the lengths are. */
const MOST = 10_000

/** At most so many items, evenly spaced. */
export const sampled = <A>(items: ReadonlyArray<A>, most: number): ReadonlyArray<A> =>
  items.length <= most ? items : Array.from({ length: most }, (_, i) => items[Math.floor(i * items.length / most)])

/** Lengths of the examples of a data set, of 10,000 rows at most. Throws DataError, as encoding does. */
export function lengthsOf(
  data: Data,
  { tokenizer, task, maxLength }: {
    readonly tokenizer: Tokenizer
    readonly task?: Encoding
    readonly maxLength?: number
  },
): Lengths {
  const some = { ...data, rows: sampled(data.rows, MOST) }
  const { examples } = encode(some, tokenizer, { maxLength: 2 ** 30, ...task === undefined ? {} : { task } })
  const lengths = examples.map(({ tokens }) => tokens.length).sort((a, b) => a - b)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const limit = maxLength ?? Infinity
  const over = lengths.filter((length) => length > limit)
  const at = (percent: number) => lengths[Math.max(0, Math.ceil(percent / 100 * lengths.length) - 1)]
  return {
    examples: lengths.length,
    mean: total / lengths.length,
    percentiles: { "50": at(50), "90": at(90), "95": at(95), "99": at(99), "100": at(100) },
    cut: over.length / lengths.length,
    lost: over.reduce((sum, length) => sum + length - limit, 0) / total,
  }
}
