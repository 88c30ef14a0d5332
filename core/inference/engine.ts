/**
 * Generates text for rows of different lengths together; rows join and leave while it runs.
 * @module
 */
import type { BankMethod } from "../contracts/bank/bank_method.ts"
import type { AdapterBank, BankAdapter, TakenSlots } from "../model/sites/adapter_bank.ts"
import { chooseByRow } from "../model/sites/choose_by_row.ts"
import { severalTasks } from "../model/heads/model_task.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"
import { wrongTokenId } from "../data/token_ids.ts"
import { mustBe } from "../options/check.ts"
import { type OptionNames, unknownOption } from "../options/unknown_option.ts"
import { noBank } from "./bank/no_bank.ts"
import { type Constraint, wrongConstraint } from "./constraints/constraint.ts"
import { makeDecoder } from "./decoder.ts"
import { likeliest, makeSampler, type Sampler, SAMPLING, type SamplingOptions, wrongSampling } from "./sampler.ts"
import {
  probabilitiesOf,
  type ProbabilityOptions,
  type TokenProbabilities,
  wrongProbabilities,
} from "./token_probabilities.ts"

/** Options of an engine. */
export interface EngineOptions {
  /**
   * Most rows that run at once; others wait. Beyond 16, a row's numbers may differ in their last bits with the number of rows
   * beside it: products of many rows add in another order. Default 8.
   */
  readonly rows?: number
  /** False takes the base model. Default true. */
  readonly methods?: boolean
  /**
   * Ids (`"method/name"`) of plugins that rows choose from; a row goes through no other plugin of their methods. Default:
   * every row goes through all plugins.
   */
  readonly plugins?: ReadonlyArray<string>
  /**
   * A method's bank: adapters that are loaded while the engine runs, one for each row, see {@link Engine.adapters}. Default:
   * that of the model, where it has one.
   */
  readonly adapters?: BankMethod
}

/** Options of a row. */
export interface RowOptions extends SamplingOptions, ProbabilityOptions {
  /** Most tokens to add. Default 64. */
  readonly maxNewTokens?: number
  /** Ids of tokens that end the row; the one that came is part of the result. Default: none. */
  readonly stop?: ReadonlyArray<number>
  /** Which of {@link EngineOptions.plugins} the row goes through, or `""` for none of them. Default `""`. */
  readonly plugin?: string
  /**
   * Which of {@link Engine.adapters} the row goes through, or `""` for none of them. The row waits while all of the bank's
   * slots are used by adapters of other rows. Default `""`.
   */
  readonly adapter?: string
  /** Tells apart the draws of rows with one seed. Default 0. */
  readonly stream?: number
  /** What may come: a value for this row alone. Not with `noRepeatNgramSize`. Default: anything. */
  readonly constraint?: Constraint
  /** Called with each new token, whoever asked for the step. It must not throw. */
  readonly onToken?: (token: NewToken) => void
}

const ROW: OptionNames<RowOptions> = {
  ...SAMPLING,
  maxNewTokens: true,
  stop: true,
  plugin: true,
  adapter: true,
  stream: true,
  logProbabilities: true,
  topLogProbabilities: true,
  constraint: true,
  onToken: true,
}

/** A new token of a row. */
export interface NewToken extends TokenProbabilities {
  /** Its id. */
  readonly token: number
  /**
   * Set for the row's last token: why it is the last. `"stop"`: it is one of `stop`, or completes the constraint. `"dead end"`:
   * the constraint allows none; the token is the likeliest without it, and no part of the row.
   */
  readonly finished?: "stop" | "length" | "dead end"
}

/** Rows of text that grow together. */
export interface Engine {
  /** Whether new tokens continue the prompt's text; those of an encoder-decoder model are a text of their own. */
  readonly continues: boolean
  /**
   * Adds a row for the token ids of a prompt. It takes part from the next step in which there is room. Gives its id.
   *
   * @throws ModelError when the prompt or the options cannot be used, AdapterError when its adapter is not there.
   */
  readonly insert: (prompt: ArrayLike<number>, options?: RowOptions) => number
  /**
   * A step: one new token for every row, by id. Up to 16 {@link EngineOptions.rows}, a row's tokens do not depend on those beside it. A call during a
   * step gives that step's tokens. Rejects with a BackendError; the rows are then as they were before.
   */
  readonly next: () => Promise<ReadonlyMap<number, NewToken>>
  /** Takes a row out. A finished one is out already. */
  readonly remove: (id: number) => void
  /** Adapters that rows can have, loaded and unloaded at any time; none fits an engine that was made without a bank. */
  readonly adapters: AdapterBank
}

interface Row {
  readonly id: number
  readonly prompt: ArrayLike<number>
  /** What the decoder reads: prompt, or start token, and new tokens. */
  readonly text: Array<number>
  /** Length of the text at which it ends. */
  readonly end: number
  readonly options: RowOptions
  readonly sample: Sampler
  readonly plugin: number
  readonly adapter: BankAdapter
  /** The slot of its adapter; undefined while it waits. */
  taken?: TakenSlots
  /** Its row of the cache; undefined while it waits. */
  slot?: number
}

/** What a row has while it runs. */
interface Placed {
  readonly slot: number
  readonly taken: TakenSlots
}

/**
 * An engine of a language model that writes token by token. Throws {@link ModelError} or PluginError.
 *
 * @param options Without `adapters`: the model has the bank.
 */
export function makeEngine(
  model: Model,
  options: Omit<EngineOptions, "adapters"> = {},
): Engine & { readonly free: () => void } {
  const unknown = unknownOption(options, { rows: true, methods: true, plugins: true })
  if (unknown !== undefined) throw unsupported(unknown)
  const { rows: most = 8, methods = true, plugins: given } = options
  const wrong = wrongWriter(model)
  if (wrong !== undefined) throw unsupported(wrong)
  if (!Number.isSafeInteger(most) || most < 1) throw unsupported(`rows must be a whole number from 1, got ${most}`)
  const plugins = given === undefined ? undefined : chooseByRow(model, given).plugins
  const decoder = makeDecoder(model, { methods, ...(plugins === undefined ? {} : { choice: { plugins } }) })
  const bank = model.bank ?? noBank
  const rows = new Map<number, Row>()
  let count = 0

  const insert: Engine["insert"] = (prompt, options = {}) => {
    const { maxNewTokens = 64, plugin = "", adapter: name = "", stream } = options
    const index = plugin === "" ? plugins?.length ?? 0 : plugins?.indexOf(plugin) ?? -1
    const wrong = wrongRow(model, prompt, options) ?? (index >= 0 ? undefined : `rows cannot choose "${plugin}": the ` +
      `engine was made for ${plugins?.join(", ") || "no choice"}`)
    if (wrong !== undefined) throw unsupported(wrong)
    const adapter = bank.find(name)
    const [id, text] = [count++, decoder.startOf(prompt)]
    const end = text.length + maxNewTokens
    const sample = makeSampler(options, stream)
    rows.set(id, { id, prompt: Int32Array.from(prompt), text, end, options, sample, plugin: index, adapter })
    return id
  }
  /** Waiting rows, the first ones first, with free rows of the cache and slots for their adapters. */
  const admitted = (): ReadonlyArray<Row & Placed> => {
    const used = new Set([...rows.values()].map(({ slot }) => slot))
    const free = Array.from({ length: most }, (_, slot) => slot).filter((slot) => !used.has(slot))
    const waiting = [...rows.values()].filter(({ slot }) => slot === undefined).slice(0, free.length)
    const all: Array<Row & Placed> = []
    for (const [i, row] of waiting.entries()) {
      const taken = bank.take([row.adapter])
      if (taken === undefined) break
      all.push({ ...row, slot: free[i], taken })
    }
    return all
  }
  const leave = (row: Row): void => {
    rows.delete(row.id)
    row.taken?.release()
  }
  /** Chooses a row's next token. */
  const choose = (row: Row, logits: Float32Array): NewToken => {
    const { stop = [], maxNewTokens = 64, constraint } = row.options
    const probabilities = probabilitiesOf(logits, row.options)
    const made = constraint === undefined ? [] : row.text.slice(row.end - maxNewTokens)
    const free = constraint === undefined ? -1 : likeliest(logits)
    constraint?.restrict(logits, made)
    const stuck = constraint !== undefined && logits[likeliest(logits)] === -Infinity
    const token = stuck ? free : row.sample(logits, row.text)
    row.text.push(token)
    const ends = stop.includes(token) || constraint?.complete?.([...made, token])
    const finished = stuck ? "dead end" : ends ? "stop" : row.text.length === row.end ? "length" : undefined
    if (finished !== undefined) leave(row)
    const chosen: NewToken = {
      token,
      ...(finished === undefined ? {} : { finished }),
      ...probabilities(token),
    }
    row.options.onToken?.(chosen)
    return chosen
  }
  const step = async (): Promise<ReadonlyMap<number, NewToken>> => {
    const old = [...rows.values()].filter((row): row is Row & Placed => row.slot !== undefined)
    const fresh = admitted()
    if (rows.size > 0 && old.length + fresh.length === 0) {
      await bank.released()
      return await step()
    }
    try {
      return await run(old, fresh)
    } catch (error) {
      fresh.forEach(({ taken }) => taken.release())
      throw error
    }
  }
  const run = async (old: ReadonlyArray<Row & Placed>, fresh: ReadonlyArray<Row & Placed>) => {
    const all = [...old, ...fresh]
    if (all.length === 0) return new Map<number, NewToken>()
    await decoder.reserve({
      rows: 1 + Math.max(...all.map(({ slot }) => slot)),
      positions: decoder.before + Math.max(...all.map(({ end }) => end)),
      prompt: Math.max(...all.map(({ prompt }) => prompt.length)),
    })
    // Rows that have no part in an append get a token at their first position: prompts come after.
    const logits = old.length === 0 ? [] : [
      ...await decoder.append(old.map(({ slot, text, plugin, taken }) => ({
        slot,
        token: text.at(-1)!,
        cached: decoder.before + text.length - 1,
        plugin,
        adapter: taken.index[0],
      }))),
    ]
    for (const { slot, prompt, plugin, taken } of fresh) {
      await taken.written
      logits.push(await decoder.fill(slot, prompt, plugin, taken.index[0]))
    }
    return new Map(all.flatMap(({ id, slot, taken }, i) => {
      const row = rows.get(id)
      if (row === undefined) {
        taken.release()
        return []
      }
      Object.assign(row, { slot, taken })
      return [[id, choose(row, logits[i])] as const]
    }))
  }
  let running: ReturnType<typeof step> | undefined
  const next = () => running ??= step().finally(() => running = undefined)
  const remove = (id: number) => {
    const row = rows.get(id)
    if (row !== undefined) leave(row)
  }
  const continues = model.network.startToken === undefined
  return { continues, insert, next, remove, adapters: bank, free: decoder.free }
}

const unsupported = (message: string) => new ModelError({ reason: "Unsupported", message })

/** Why a model cannot write text, or nothing. */
export function wrongWriter(model: Model): string | undefined {
  const { head } = model.task
  if (head.kind === "vocabulary" && head.attention !== "bidirectional") return severalTasks(model, "generate")
  return severalTasks(model, "generate") ?? "only a causal language model generates text, or an encoder-decoder one"
}

const isList = (value: unknown): boolean => Array.isArray(value) || ArrayBuffer.isView(value)

/** What is wrong with a row, or nothing. */
export function wrongRow({ network }: Model, prompt: ArrayLike<number>, options: RowOptions): string | undefined {
  const unknown = unknownOption(options, ROW)
  if (unknown !== undefined) return unknown
  const { maxNewTokens = 64, stop = [] } = options
  if (!isList(prompt)) return mustBe("a prompt", "a text or a list of token ids", prompt).message
  if (!isList(stop)) {
    return `stop must be a list of token ids, got ${JSON.stringify(stop)}`
  }
  const { maxPositions, vocabSize, startToken } = network
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
    return `maxNewTokens must be a positive integer, got ${maxNewTokens}`
  }
  if (prompt.length === 0 || (startToken === undefined ? prompt.length : 0) + maxNewTokens > maxPositions) {
    return `a prompt of ${prompt.length} tokens and ${maxNewTokens} new ones must be 1 to ${maxPositions} positions`
  }
  if (prompt.length > maxPositions) return `a prompt of ${prompt.length} tokens is beyond ${maxPositions} positions`
  for (const [what, ids] of [["the prompt has the", prompt], ["stop has the", stop]] as const) {
    const wrong = wrongTokenId(ids, vocabSize)
    if (wrong !== undefined) return `${what} ${wrong}`
  }
  return wrongSampling(options) ?? wrongProbabilities(options) ??
    wrongConstraint(options.constraint, options.noRepeatNgramSize)
}
