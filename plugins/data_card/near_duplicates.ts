/**
 * Near duplicates by MinHash with banding (Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4), with one
 * permutation and optimal densification (Shrivastava 2017). Candidates are compared exactly, so no pair is a false one.
 * @module
 */
import { normalizeText } from "../../core/data/split/text_keys.ts"

/** A text that is nearly an earlier one. */
export interface NearDuplicate {
  /** Its index. */
  readonly index: number
  /** Index of the earlier one. */
  readonly of: number
  /** Share of the pieces that both have, of those that one has (Jaccard), above the least one and up to 1. */
  readonly similarity: number
}

/** Characters of a piece of text. */
const PIECE = 5
/** Two texts of which 0.8 is the same are candidates with a probability of 1 - (1 - 0.8^5)^20 = 0.9996. */
const BANDS = 20, ROWS = 5
/** Texts of a bucket that others are compared with: boilerplate fills buckets. */
const MOST_IN_BUCKET = 16

/** The first earlier text, in the order of the buckets, that each text is like. */
export function nearDuplicates(texts: ReadonlyArray<string>, least: number): ReadonlyArray<NearDuplicate> {
  const buckets = new Map<number, Array<number>>()
  const pieces = (index: number) => piecesOf(texts[index])
  return texts.flatMap((_, index) => {
    const own = pieces(index)
    const keys = bandsOf(signatureOf(own))
    const tried = new Set<number>()
    let found: NearDuplicate | undefined
    for (const key of keys) {
      const bucket = buckets.get(key) ?? buckets.set(key, []).get(key)!
      for (const of of found === undefined ? bucket : []) {
        if (tried.has(of)) continue
        tried.add(of)
        const similarity = jaccard(own, pieces(of))
        if (similarity < least) continue
        found = { index, of, similarity }
        break
      }
      if (bucket.length < MOST_IN_BUCKET) bucket.push(index)
    }
    return found === undefined ? [] : [found]
  })
}

const BASE = 0x01000193
/** What the first character of a piece counts once the next one follows. */
const LEAVING = Array.from({ length: PIECE }, () => BASE).reduce((power, base) => Math.imul(power, base), 1)

/** Hashes of all pieces of a text, of 31 bits, by a rolling hash; case and spaces do not count. */
function piecesOf(text: string): ReadonlySet<number> {
  const plain = normalizeText(text)
  const pieces = new Set<number>()
  // A text without a character has a piece too.
  if (plain === "") pieces.add(0)
  let hash = 0
  for (let at = 0; at < plain.length; at++) {
    hash = Math.imul(hash, BASE) + plain.charCodeAt(at) | 0
    if (at >= PIECE) hash = hash - Math.imul(LEAVING, plain.charCodeAt(at - PIECE)) | 0
    if (at >= PIECE - 1 || at === plain.length - 1) pieces.add(mixed(hash) >>> 1)
  }
  return pieces
}

/** The last steps of MurmurHash3: each bit depends on all. */
function mixed(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

const EMPTY = 2 ** 32

/** The smallest hash of each bin; an empty bin has that of another one, which its number decides. */
function signatureOf(pieces: ReadonlySet<number>): Float64Array {
  const bins = new Float64Array(BANDS * ROWS).fill(EMPTY)
  for (const piece of pieces) {
    const bin = piece % bins.length
    if (piece < bins[bin]) bins[bin] = piece
  }
  return bins.map((least, bin) => {
    for (let attempt = 1; least === EMPTY; attempt++) least = bins[mixed(bin + attempt * bins.length) % bins.length]
    return least
  })
}

/** A key for each band of a signature. */
function bandsOf(signature: Float64Array): ReadonlyArray<number> {
  return Array.from(
    { length: BANDS },
    (_, band) => signature.subarray(band * ROWS, (band + 1) * ROWS).reduce((hash, least) => mixed(hash ^ least), band),
  )
}

function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let both = 0
  for (const piece of a) if (b.has(piece)) both++
  return both / (a.size + b.size - both)
}
