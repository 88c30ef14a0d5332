/**
 * A model over a key/value cache that grows: the programs that fill a row and that append to rows.
 * @module
 */
import type { RunData } from "../backend/backend.ts"
import type { Graph } from "../graph/build.ts"
import { lastOf } from "../model/sites/batch_layout.ts"
import type { RowChoice } from "../model/sites/choose_by_row.ts"
import type { Model } from "../model/model.ts"
import type { KeyValues } from "../contracts/site.ts"
import type { Decoding, ModuleNode } from "../model/module.ts"
import { runOnce } from "../model/sites/run_once.ts"
import * as ops from "../tensor/ops.ts"
import type { Shape } from "../tensor/shape.ts"
import type { Tensor } from "../tensor/tensor.ts"
import { type AttentionLayout, type Cache, type CacheLayout, makeCache, type Updates } from "./cache.ts"
import { makePrograms } from "./programs.ts"

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
  /** What a row's text begins with: its prompt, or of an encoder-decoder model, whose encoder reads it, the start token. */
  readonly startOf: (prompt: ArrayLike<number>) => Array<number>
  /** Grows the cache to hold at least this; what it holds is kept. */
  readonly reserve: (room: Room) => Promise<void>
  /** Puts a prompt in a row of the cache. Gives the logits of the next token. */
  readonly fill: (slot: number, prompt: ArrayLike<number>, plugin: number, adapter: number) => Promise<Float32Array>
  /** Appends one token to each of some rows. Gives each row's logits of the next token. */
  readonly append: (rows: ReadonlyArray<Appended>) => Promise<ReadonlyArray<Float32Array>>
  /** Puts in the place of each of the first rows what another one holds; of their prompts too (`whole`). */
  readonly reorder: (from: ReadonlyArray<number>, whole: boolean) => Promise<void>
  /** Frees programs and cache. */
  readonly free: () => void
}

/** Fewest tokens of a program that fills a row, and fewest positions of a cache. */
const FEWEST_TOKENS = 16, FEWEST_POSITIONS = 64

const power = (size: number): number => 2 ** Math.ceil(Math.log2(size))

/** 16, 24, 32, 48, 64, 96, 128, ...: the least of them from `length` on. */
function tokensFor(length: number): number {
  const whole = Math.max(FEWEST_TOKENS, power(length))
  return whole > FEWEST_TOKENS && length <= 0.75 * whole ? 0.75 * whole : whole
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
  const graphOf = (rows: number, length: number, decoding: (updates: Updates) => Decoding): Graph => {
    const updates: Updates = []
    const logits = logitsOf(rows, length, decoding(updates))
    return { name: `generate ${rows}x${length}`, outputs: { logits }, updates }
  }
  const { before, beforeMemory, ...layout } = layoutOf((decoding) => void logitsOf(1, 1, decoding))
  const run = async (name: string, graph: () => Graph, inputs: RunData) => {
    const { logits } = await (await programs.get(name, graph)).run(inputs)
    return logits as Float32Array
  }
  const release = () => {
    programs.clear()
    cache?.free()
  }
  return {
    before,
    startOf: (prompt) => startToken === undefined ? Array.from(prompt) : [startToken],
    reserve: async ({ rows, positions, prompt }) => {
      const memory = startToken === undefined ? 0 : tokensFor(prompt) + beforeMemory
      if (cache !== undefined && rows <= cache.rows && positions <= cache.positions && memory <= cache.memory) return
      const wanted = Math.min(Math.max(FEWEST_POSITIONS, power(positions)), network.maxPositions + before)
      const larger = makeCache(backend, layout, {
        rows: Math.max(cache?.rows ?? 1, power(rows)),
        positions: Math.max(cache?.positions ?? 1, wanted),
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
    fill: (slot, prompt, plugin, adapter) => {
      const room = startToken === undefined ? cache!.positions - before : cache!.memory - beforeMemory
      const length = Math.min(tokensFor(prompt.length), room)
      promptLengths[slot] = prompt.length
      const tokens = new Int32Array(length)
      tokens.set(prompt)
      const graph = () => graphOf(1, length, (updates) => cache!.fill(ops.input("row", [1], { dtype: "i32" }), updates))
      const [row, lengths, choice, adapters] = [slot, prompt.length, plugin, adapter].map((x) => Int32Array.of(x))
      return run(`fill ${length}`, graph, { tokens, row, lengths, choice, adapters })
    },
    append: async (appended) => {
      const rows = Math.min(power(1 + Math.max(...appended.map(({ slot }) => slot))), cache!.rows)
      const [tokens, start, choice, adapters] = [0, 0, 0, 0].map(() => new Int32Array(rows))
      for (const { slot, token, cached, plugin, adapter } of appended) {
        tokens[slot] = token
        start[slot] = cached
        choice[slot] = plugin
        adapters[slot] = adapter
      }
      const ofRows = (name: string) => ops.input(name, [rows], { dtype: "i32" })
      const graph = () =>
        graphOf(rows, 1, (updates) => cache!.append(ofRows("start"), ofRows("memoryLengths"), updates))
      const logits = await run(`append ${rows}`, graph, {
        tokens,
        start,
        choice,
        adapters,
        lengths: new Int32Array(rows).fill(1),
        memoryLengths: promptLengths.slice(0, rows).map((length) => beforeMemory + Math.max(1, length)),
      })
      const size = logits.length / rows
      return appended.map(({ slot }) => logits.subarray(slot * size, (slot + 1) * size))
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
