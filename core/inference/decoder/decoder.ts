/**
 * A model over a key/value cache that grows: the programs that fill a row and that append to rows.
 * @module
 */
import type { RunData } from "../../backend/backend.ts"
import type { Graph } from "../../graph/build.ts"
import { lastOf } from "../../model/sites/batch_layout.ts"
import type { RowChoice } from "../../model/sites/choose_by_row.ts"
import type { Model } from "../../model/model.ts"
import type { KeyValues } from "../../contracts/site.ts"
import type { Decoding, ModuleNode } from "../../model/module.ts"
import { runOnce } from "../../model/sites/run_once.ts"
import * as ops from "../../tensor/ops.ts"
import type { Shape } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { type AttentionLayout, type Cache, type CacheLayout, makeCache, type Updates } from "./cache.ts"
import { makePrograms } from "../programs.ts"

/** Which part of the model's methods rows go through. */
export interface Variant {
  /** False takes the base model. */
  readonly methods: boolean
  /** Set where rows choose a plugin. */
  readonly choice?: Pick<RowChoice, "plugins">
}

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

/** A prompt, of which a part is to be read. */
export interface Part {
  /** Row of the cache. */
  readonly slot: number
  readonly prompt: ArrayLike<number>
  /** Number of its tokens that are read already. */
  readonly read: number
  /** Index of its plugin in the choice. */
  readonly plugin: number
  /** Slot of its adapter in the model's bank. */
  readonly adapter: number
}

/** What was read of a prompt. */
export interface PartRead {
  /** Number of its tokens that are read now. */
  readonly read: number
  /** Logits of the next token, if that is all. */
  readonly logits?: Float32Array
}

/** Room for rows of so many positions, and of so many tokens of prompts. */
export interface Room {
  readonly rows: number
  readonly positions: number
  readonly prompt: number
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

/** Tokens of prompts that are read together. */
const CHUNK = 128
/**
 * Fewest tokens of a part that is read alone, or beside others: products of few rows, and attention of few queries, add in
 * another order, and a prompt's bits are to be the same in any parts.
 */
const FEWEST_ALONE = 32, FEWEST_BESIDE = 16
/** Most rows of a program that appends: up to so many, a row's bits do not depend on those beside it. */
const TOGETHER = 16
/** Fewest positions of a cache, and what their number is a multiple of, as pages of attention are. */
const FEWEST_POSITIONS = 64, PAGE = 8
/** Fewest tokens of a program of an encoder. */
const FEWEST_TOKENS = 16

const power = (size: number): number => 2 ** Math.ceil(Math.log2(size))
const multiple = (of: number, size: number): number => of * Math.ceil(size / of)

/** 16, 24, 32, 48, 64, 96, 128, ...: the least of them from `length` on. */
function tokensFor(length: number): number {
  const whole = Math.max(FEWEST_TOKENS, power(length))
  return whole > FEWEST_TOKENS && length <= 0.75 * whole ? 0.75 * whole : whole
}

/** Tokens of a row, from position `start` of it on. */
interface Tokens {
  readonly slot: number
  readonly tokens: Int32Array
  readonly start: number
  readonly plugin: number
  readonly adapter: number
}

/** A decoder with an empty cache. */
export function makeDecoder(model: Model, { methods, choice }: Variant): Decoder {
  const { backend, network } = model
  const { startToken } = network
  const programs = makePrograms(backend)
  let cache: Cache | undefined
  /** Tokens of each row's prompt, for the encoder-decoder models that go on reading it. */
  let promptLengths = new Int32Array(0)

  /** Logits [rows, vocabulary] after each row's last token. */
  const logitsOf = (rows: number, length: number, decoding: Decoding): Tensor => {
    const batch = {
      tokens: ops.input("tokens", [rows, length], { dtype: "i32" }),
      lengths: ops.input("lengths", [rows], { dtype: "i32" }),
      fields: {},
      exampleWeight: ops.full(1, [rows]),
      task: "",
    }
    const chosen = choice && { ...choice, index: ops.input("choice", [rows], { dtype: "i32" }) }
    const options = {
      training: false,
      methods,
      decoding,
      ...(chosen === undefined ? {} : { choice: chosen }),
      ...(model.bank === undefined ? {} : { adapters: ops.input("adapters", [rows], { dtype: "i32" }) }),
    }
    return ops.reshape(lastOf(model.forward(batch, options).logits, batch), [rows, -1])
  }
  const { before, beforeMemory, ...layout } = layoutOf((decoding) => void logitsOf(1, 1, decoding))
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
        ? cache!.begin(places, updates)
        : cache!.extend(places, length > 1, ops.input("memoryLengths", [rows], { dtype: "i32" }), updates)
      const logits = logitsOf(rows, length, decoding)
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
      memoryLengths: ofRows(({ slot }) => beforeMemory + Math.max(1, promptLengths[slot])),
    }
    const program = await programs.get(`${isFirst ? "first " : ""}${rows}x${length}`, graph)
    const logits = (await program.run(inputs)).logits as Float32Array, size = logits.length / rows
    return given.map((_, i) => logits.subarray(i * size, (i + 1) * size))
  }
  /** Reads parts of prompts, all of them the first ones or none. */
  const readParts = async (parts: ReadonlyArray<Part>): Promise<ReadonlyArray<PartRead>> => {
    const isFirst = parts[0].read === 0 && before > 0
    const left = Math.max(...parts.map(({ prompt, read }) => prompt.length - read))
    const room = cache!.positions - before, fits = room - Math.max(...parts.map(({ read }) => read))
    let share = Math.min(CHUNK / power(parts.length), power(left))
    while (share > fits) share /= 2
    const length = Math.min(Math.max(parts.length === 1 ? FEWEST_ALONE : fewest, share), network.maxPositions)
    const given = parts.map(({ slot, prompt, read, plugin, adapter }) => {
      // A part that began where another row's text went on otherwise may reach beyond the row: it reads some tokens again.
      const from = Math.min(read, room - length)
      const tokens = Int32Array.from({ length: Math.min(length, prompt.length - from) }, (_, i) => prompt[from + i])
      return { slot, tokens, plugin, adapter, start: isFirst ? 0 : before + from, read: from + tokens.length }
    })
    const logits = await run(isFirst, length, given)
    return given.map(({ read }, i) => read < parts[i].prompt.length ? { read } : { read, logits: logits[i] })
  }
  const release = () => {
    programs.clear()
    cache?.free()
  }
  return {
    before,
    sharable,
    parts: CHUNK / fewest,
    rows: () => cache?.rows ?? 0,
    startOf: (prompt) => startToken === undefined ? Array.from(prompt) : [startToken],
    reserve: async ({ rows, positions, prompt }) => {
      const memory = startToken === undefined ? 0 : multiple(PAGE, tokensFor(prompt) + beforeMemory)
      if (cache !== undefined && rows <= cache.rows && positions <= cache.positions && memory <= cache.memory) return
      // So that parts of prompts fit: these begin at any token of which another row had read, else at multiples of a chunk.
      const text = Math.min(Math.max(FEWEST_POSITIONS, power(positions)), multiple(CHUNK, network.maxPositions))
      const wanted = multiple(PAGE, text + before)
      const larger = makeCache(backend, layout, {
        rows: Math.max(cache?.rows ?? 1, power(rows)),
        positions: Math.max(cache?.positions ?? 0, wanted),
        memory: Math.max(cache?.memory ?? 0, memory),
      })
      try {
        if (cache !== undefined) await runOnce(backend, larger.copyOf(cache))
      } catch (error) {
        larger.free()
        throw error
      }
      // Programs name the slots that they use.
      release()
      cache = larger
      const lengths = new Int32Array(cache.rows)
      lengths.set(promptLengths)
      promptLengths = lengths
    },
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
        promptLengths[slot] = prompt.length
        const length = Math.min(tokensFor(prompt.length), cache!.memory - beforeMemory)
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
    copy: async (from, to, tokens) => {
      const length = Math.min(power(before + tokens), cache!.positions)
      const program = await programs.get(
        `copy ${length}`,
        () =>
          cache!.copy(ops.input("from", [1], { dtype: "i32" }), ops.input("places", [1, 2], { dtype: "i32" }), length),
      )
      await program.run({ from: Int32Array.of(from), places: Int32Array.of(to, 0) })
    },
    reorder: async (from, whole) => {
      const rows = Int32Array.from(from)
      if (whole) promptLengths.set(rows.map((row) => promptLengths[row]))
      const program = await programs.get(
        `reorder ${rows.length} ${whole}`,
        () => cache!.reorder(ops.input("from", [rows.length], { dtype: "i32" }), whole),
      )
      await program.run({ from: rows })
    },
    free: release,
  }
}

/**
 * What a cache holds, and the rows that methods put before the text of a row and before what its encoder reads: from a graph
 * that is not run.
 */
function layoutOf(
  write: (decoding: Decoding) => void,
): CacheLayout & { readonly before: number; readonly beforeMemory: number } {
  const attentions = new Map<string, AttentionLayout>(), states = new Map<string, Shape>()
  const before = { positions: 0, memory: 0 }
  const keep = (of: AttentionLayout["of"], { path }: ModuleNode, own: KeyValues) => {
    const [, heads, length, keyWidth] = own.keys.shape
    attentions.set(path, { of, heads, keyWidth, valueWidth: own.values.shape[3] })
    before[of] = length - 1
    return own
  }
  write({
    start: ops.full(0, [1], "i32"),
    first: true,
    capacity: 1,
    extend: (module, own) => keep("positions", module, own),
    recall: (module, own) => keep("memory", module, own!),
    state: ({ path }, shape) => {
      states.set(path, shape)
      return ops.full(0, [1, ...shape])
    },
  })
  return { attentions, states, before: before.positions, beforeMemory: before.memory }
}
