/**
 * A model over a key/value cache that grows: the programs that fill a row and that append to rows.
 * @module
 */
import type { RunData } from "../../backend/backend.ts"
import type { Graph } from "../../graph/build.ts"
import type { Model } from "../../model/model.ts"
import * as ops from "../../tensor/ops.ts"
import { makePrograms } from "../programs.ts"
import type { Updates } from "./cache.ts"
import { type Room, tokensFor } from "./cache_size.ts"
import { makeGrowingCache } from "./growing_cache.ts"
import { lastLogits, type Variant } from "./last_logits.ts"
import { layoutOf } from "./layout.ts"
import { power } from "./power_of_two.ts"
import { CHUNK, cutParts, FEWEST_ALONE, FEWEST_BESIDE, type Part, type PartRead, type Tokens } from "./prompt_parts.ts"

/** A row's new token. */
export interface Appended {
  /** Row of the cache. */
  readonly slot: number
  readonly token: number
  /** Positions of the row that are filled. */
  readonly cached: number
  /** Index of its plugin in the choice. */
  readonly plugin: number
  /** Slot of its adapter in the model's bank. */
  readonly adapter: number
}

/** Runs a model over its cache. Runs must follow each other. */
export interface Decoder {
  /** Positions that methods put before the text of a row. */
  readonly before: number
  /** Whether a row's positions are all that the model keeps of its text, so that another row can go on from them. */
  readonly sharable: boolean
  /** Most prompts that are read together. */
  readonly parts: number
  /** Rows that there is room for. */
  readonly rows: () => number
  /** What a row's text begins with: its prompt, or of an encoder-decoder model, whose encoder reads it, the start token. */
  readonly startOf: (prompt: ArrayLike<number>) => Array<number>
  /** Grows the cache to hold at least this; what it holds is kept. */
  readonly reserve: (room: Room) => Promise<void>
  /**
   * Reads on in some prompts, at most {@link Decoder.parts}: about 128 tokens of all together. The prompt of an
   * encoder-decoder model is read at once.
   */
  readonly read: (parts: ReadonlyArray<Part>) => Promise<ReadonlyArray<PartRead>>
  /** Puts the first tokens that a row has read into another one. */
  readonly copy: (from: number, to: number, tokens: number) => Promise<void>
  /** Appends one token to each of some rows. Gives each row's logits of the next token. */
  readonly append: (rows: ReadonlyArray<Appended>) => Promise<ReadonlyArray<Float32Array>>
  /** Puts in the place of each of the first rows what another one holds; of their prompts too (`whole`). */
  readonly reorder: (from: ReadonlyArray<number>, whole: boolean) => Promise<void>
  /** Frees programs and cache. */
  readonly free: () => void
}

/** Most rows of a program that appends: up to so many, a row's bits do not depend on those beside it. */
const TOGETHER = 16

/** A decoder with an empty cache. */
export function makeDecoder(model: Model, variant: Variant): Decoder {
  const { backend, network } = model
  const { startToken } = network
  const programs = makePrograms(backend)
  const { before, beforeMemory, ...layout } = layoutOf((decoding) => void lastLogits(model, variant, 1, 1, decoding))
  const cache = makeGrowingCache(backend, programs, layout, {
    before,
    beforeMemory,
    maxPositions: network.maxPositions,
    keepsMemory: startToken !== undefined,
  })
  const sharable = startToken === undefined && layout.states.size === 0
  // A state goes on from where it is, so parts begin where any of them can. Rows before the text are left out at the end, which
  // makes a product of each part's own.
  const fewest = sharable && before === 0 ? FEWEST_BESIDE : FEWEST_ALONE
  /** Runs `length` tokens of some rows; the rest of the program's rows do again what the first does. */
  const run = async (isFirst: boolean, length: number, given: ReadonlyArray<Tokens>) => {
    const rows = power(given.length)
    const all = Array.from({ length: rows }, (_, i) => given[i] ?? given[0])
    const graph = (): Graph => {
      const updates: Updates = [], places = ops.input("places", [rows, 2], { dtype: "i32" })
      const decoding = isFirst
        ? cache.now().begin(places, updates)
        : cache.now().extend(places, length > 1, ops.input("memoryLengths", [rows], { dtype: "i32" }), updates)
      const logits = lastLogits(model, variant, rows, length, decoding)
      return { name: `generate ${rows}x${length}`, outputs: { logits }, updates }
    }
    const ofRows = (value: (row: Tokens) => number) => Int32Array.from(all, value)
    const tokens = new Int32Array(rows * length)
    all.forEach((row, i) => tokens.set(row.tokens, i * length))
    const inputs: RunData = {
      tokens,
      places: Int32Array.from(all.flatMap(({ slot, start }) => [slot, start])),
      lengths: ofRows(({ tokens }) => tokens.length),
      choice: ofRows(({ plugin }) => plugin),
      adapters: ofRows(({ adapter }) => adapter),
      memoryLengths: ofRows(({ slot }) => beforeMemory + Math.max(1, cache.promptLengths()[slot])),
    }
    const program = await programs.get(`${isFirst ? "first " : ""}${rows}x${length}`, graph)
    const logits = (await program.run(inputs)).logits as Float32Array, size = logits.length / rows
    return given.map((_, i) => logits.subarray(i * size, (i + 1) * size))
  }
  /** Reads parts of prompts, all of them the first ones or none. */
  const readParts = async (parts: ReadonlyArray<Part>): Promise<ReadonlyArray<PartRead>> => {
    const isFirst = parts[0].read === 0 && before > 0
    const room = { isFirst, before, fewest, positions: cache.now().positions, maxPositions: network.maxPositions }
    const { length, given } = cutParts(parts, room)
    const logits = await run(isFirst, length, given)
    return given.map(({ read }, i) => read < parts[i].prompt.length ? { read } : { read, logits: logits[i] })
  }
  return {
    before,
    sharable,
    parts: CHUNK / fewest,
    rows: cache.rows,
    startOf: (prompt) => startToken === undefined ? Array.from(prompt) : [startToken],
    reserve: cache.reserve,
    read: async (parts) => {
      if (startToken === undefined) {
        const made = new Map<Part, PartRead>()
        const isFirst = ({ read }: Part) => before > 0 && read === 0
        for (const some of [parts.filter(isFirst), parts.filter((part) => !isFirst(part))]) {
          if (some.length > 0) (await readParts(some)).forEach((one, i) => made.set(some[i], one))
        }
        return parts.map((part) => made.get(part)!)
      }
      const made: Array<PartRead> = []
      for (const { slot, prompt, plugin, adapter } of parts) {
        cache.promptLengths()[slot] = prompt.length
        const length = Math.min(tokensFor(prompt.length), cache.now().memory - beforeMemory)
        const tokens = Int32Array.from(prompt)
        const [logits] = await run(true, length, [{ slot, tokens, plugin, adapter, start: 0 }])
        made.push({ read: prompt.length, logits })
      }
      return made
    },
    append: async (appended) => {
      const all = appended.map(({ token, cached, ...row }) => ({ ...row, tokens: Int32Array.of(token), start: cached }))
      const made: Array<Float32Array> = []
      for (let at = 0; at < all.length; at += TOGETHER) made.push(...await run(false, 1, all.slice(at, at + TOGETHER)))
      return made
    },
    copy: (from, to, tokens) => cache.copy(from, to, before + tokens),
    reorder: cache.reorder,
    free: cache.free,
  }
}
