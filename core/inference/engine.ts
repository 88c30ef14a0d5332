/**
 * Generates text for rows of different lengths together; rows join and leave while it runs.
 * @module
 */
import type { BankMethod } from "../contracts/bank/bank_method.ts"
import type { AdapterBank } from "../model/sites/adapter_bank.ts"
import { chooseByRow } from "../model/sites/choose_by_row.ts"
import { severalTasks } from "../model/heads/model_task.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"
import { wrongTokenId } from "../data/token_ids.ts"
import { mustBe } from "../options/check.ts"
import { type OptionNames, unknownOption } from "../options/unknown_option.ts"
import { type Arrival, isAdmitted, makeAdmission } from "./admission.ts"
import { noBank } from "./bank/no_bank.ts"
import { type Constraint, wrongConstraint } from "./constraints/constraint.ts"
import { makeDecoder } from "./decoder/decoder.ts"
import { readPrompts } from "./decoder/read_prompts.ts"
import { likeliest, makeSampler, type Sampler, SAMPLING, type SamplingOptions, wrongSampling } from "./sampler.ts"
import {
  probabilitiesOf,
  type ProbabilityOptions,
  type TokenProbabilities,
  wrongProbabilities,
} from "./token_probabilities.ts"

/** Options of an engine. */
export interface EngineOptions {
  /** Most rows that run at once; others wait. More than 16 are computed 16 at a time. Default 8. */
  readonly rows?: number
  /**
   * Whether what was read of prompts is kept while no row runs, so that later rows that begin alike need not read it again.
   * Only for weights that do not change meanwhile. Default false: rows share with those that run, or ran beside them.
   */
  readonly keepPrompts?: boolean
  /**
   * Positions that each row has room for from the first step on. Where rows need more than there is room for, the cache grows
   * to the next power of two and all programs are compiled anew. Default 0: as rows need them.
   */
  readonly positions?: number
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

/** What an engine does and has done. */
export interface EngineStatistics {
  /** Rows that run: their prompts are being read, or they grow. */
  readonly running: number
  /** Rows that wait until there is room. */
  readonly waiting: number
  /** Tokens that the cache holds of running rows. */
  readonly cachedTokens: number
  /** Tokens of all prompts so far, as far as they were read. */
  readonly promptTokens: number
  /** How many of these were not computed, but taken from rows that begin alike. */
  readonly sharedTokens: number
  /** New tokens so far. */
  readonly newTokens: number
}

/**
 * Rows of text that grow together. Greedy tokens and probabilities of a row are the same bits whatever rows are beside it, on
 * the CPU: when they came, how its prompt was cut into parts, and whether another row had read its first tokens.
 */
export interface Engine {
  /** Whether new tokens continue the prompt's text; those of an encoder-decoder model are a text of their own. */
  readonly continues: boolean
  /**
   * Adds a row for the token ids of a prompt. Rows take part in the order of their arrival, as there is room. Gives its id.
   *
   * @throws ModelError when the prompt or the options cannot be used, AdapterError when its adapter is not there.
   */
  readonly insert: (prompt: ArrayLike<number>, options?: RowOptions) => number
  /**
   * A step: one new token, by id, for every row whose prompt is read. Meanwhile prompts are read, about 128 tokens a step in
   * all; where no row can have a token yet, the step goes on until one has. A call during a step gives that step's tokens.
   * Rejects with a BackendError; the rows are then as they were before.
   */
  readonly next: () => Promise<ReadonlyMap<number, NewToken>>
  /** Takes a row out: from the next step on another has its place. A finished one is out already. */
  readonly remove: (id: number) => void
  /** What it does and has done. */
  readonly statistics: () => EngineStatistics
  /** Adapters that rows can have, loaded and unloaded at any time; none fits an engine that was made without a bank. */
  readonly adapters: AdapterBank
}

interface Row extends Arrival {
  /** What the decoder reads: prompt, or start token, and new tokens. */
  readonly text: Array<number>
  /** Length of the text at which it ends. */
  readonly end: number
  readonly options: RowOptions
  readonly sample: Sampler
}

const isRead = ({ read, prompt }: Row): boolean => read === prompt.length

/**
 * An engine of a language model that writes token by token. Throws {@link ModelError} or PluginError.
 *
 * @param options Without `adapters`: the model has the bank.
 */
export function makeEngine(
  model: Model,
  options: Omit<EngineOptions, "adapters"> = {},
): Engine & { readonly free: () => void } {
  const unknown = unknownOption(options, {
    rows: true,
    keepPrompts: true,
    positions: true,
    methods: true,
    plugins: true,
  })
  if (unknown !== undefined) throw unsupported(unknown)
  const { rows: most = 8, keepPrompts = false, positions: roomFor = 0, methods = true, plugins: given } = options
  const wrong = wrongWriter(model)
  if (wrong !== undefined) throw unsupported(wrong)
  if (!Number.isSafeInteger(most) || most < 1) throw unsupported(`rows must be a whole number from 1, got ${most}`)
  if (!Number.isSafeInteger(roomFor) || roomFor < 0 || roomFor > model.network.maxPositions) {
    throw unsupported(`positions must be a whole number from 0 to ${model.network.maxPositions}, got ${roomFor}`)
  }
  const plugins = given === undefined ? undefined : chooseByRow(model, given).plugins
  const decoder = makeDecoder(model, { methods, ...(plugins === undefined ? {} : { choice: { plugins } }) })
  const bank = model.bank ?? noBank
  /** In the order of their arrival. */
  const rows = new Map<number, Row>()
  const admission = makeAdmission(decoder, bank, { most, isHere: (id) => rows.has(id) })
  const counts = { promptTokens: 0, sharedTokens: 0, newTokens: 0 }
  let count = 0

  const insert: Engine["insert"] = (prompt, options = {}) => {
    const { maxNewTokens = 64, plugin = "", adapter: name = "", stream } = options
    const index = plugin === "" ? plugins?.length ?? 0 : plugins?.indexOf(plugin) ?? -1
    const wrong = wrongRow(model, prompt, options) ?? (index >= 0 ? undefined : `rows cannot choose "${plugin}": the ` +
      `engine was made for ${plugins?.join(", ") || "no choice"}`)
    if (wrong !== undefined) throw unsupported(wrong)
    const source = bank.find(name)
    const [id, text] = [count++, decoder.startOf(prompt)]
    const end = text.length + maxNewTokens
    const sample = makeSampler(options, stream)
    if (rows.size === 0 && !keepPrompts) admission.forget()
    rows.set(id, { id, prompt: Int32Array.from(prompt), text, end, options, sample, plugin: index, source, read: 0 })
    return id
  }
  const leave = (row: Row): void => {
    rows.delete(row.id)
    admission.dismiss(row)
    if (running === undefined) admission.release()
  }
  const choose = (row: Row, logits: Float32Array): NewToken => {
    const chosen = nextToken(row, logits)
    counts.newTokens++
    if (chosen.finished !== undefined) leave(row)
    row.options.onToken?.(chosen)
    return chosen
  }
  /** A token for each row whose prompt is read, and a part of the others' prompts. */
  const pass = async (): Promise<ReadonlyMap<number, NewToken>> => {
    for (const row of rows.values()) {
      if (isAdmitted(row)) continue
      if (!admission.admit(row)) break
      counts.promptTokens += row.read
      counts.sharedTokens += row.read
    }
    const all = [...rows.values()].filter(isAdmitted)
    if (all.length === 0) {
      await bank.released()
      return new Map()
    }
    await decoder.reserve({
      rows: roomFor > 0 ? most : 1 + Math.max(...all.map(({ slot }) => slot)),
      positions: decoder.before + Math.max(roomFor, ...all.map(({ end }) => end)),
      prompt: Math.max(...all.map(({ prompt }) => prompt.length)),
    })
    const growing = all.filter(isRead), reading = all.filter((row) => !isRead(row))
    const appended = await decoder.append(growing.map(({ slot, text, plugin, adapter }) => ({
      slot,
      token: text.at(-1)!,
      cached: decoder.before + text.length - 1,
      plugin,
      adapter,
    })))
    const logits = new Map(growing.map((row, i) => [row, appended[i]]))
    if (reading.length > 0) {
      await admission.written(reading)
      const found = await readPrompts(decoder, reading, admission.held())
      found.logits.forEach((own, row) => logits.set(row, own))
      counts.promptTokens += found.tokens
      counts.sharedTokens += found.shared
    }
    const made = [...logits].filter(([{ id }]) => rows.has(id))
    return new Map(made.map(([row, own]) => [row.id, choose(row, own)]))
  }
  const step = async (): Promise<ReadonlyMap<number, NewToken>> => {
    while (rows.size > 0) {
      const made = await pass().finally(admission.release)
      if (made.size > 0) return made
    }
    return new Map()
  }
  let running: ReturnType<typeof step> | undefined
  const next = () => running ??= step().finally(() => running = undefined)
  const remove = (id: number) => {
    const row = rows.get(id)
    if (row !== undefined) leave(row)
  }
  const continues = model.network.startToken === undefined
  const statistics = () => ({ ...statisticsOf([...rows.values()]), ...counts })
  return { continues, insert, next, remove, statistics, adapters: bank, free: decoder.free }
}

/** Chooses a row's next token and adds it to its text. */
function nextToken(row: Row, logits: Float32Array): NewToken {
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
  return { token, ...(finished === undefined ? {} : { finished }), ...probabilities(token) }
}

/** What rows do now. */
function statisticsOf(rows: ReadonlyArray<Row>): Pick<EngineStatistics, "running" | "waiting" | "cachedTokens"> {
  const running = rows.filter(isAdmitted)
  const cachedTokens = running.reduce((sum, row) => sum + (isRead(row) ? row.text.length - 1 : row.read), 0)
  return { running: running.length, waiting: rows.length - running.length, cachedTokens }
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
