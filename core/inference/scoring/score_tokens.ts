import * as Effect from "effect/Effect"
import { AdapterError } from "../../contracts/bank/adapter_error.ts"
import type { Graph } from "../../graph/build.ts"
import { chooseByRow, type RowChoice } from "../../model/sites/choose_by_row.ts"
import type { BankAdapter } from "../../model/sites/adapter_bank.ts"
import type { Model } from "../../model/model.ts"
import { ModelError } from "../../model/model_error.ts"
import { OBJECT, wrongArgument } from "../../options/argument.ts"
import { unknownOption } from "../../options/unknown_option.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { runWith } from "../bank/run_with.ts"
import { type GenerateError, toGenerateError } from "../generate.ts"
import { programsOf } from "../programs.ts"
import { batchesOf, lengthFor, wrongLists } from "./lists.ts"
import { type TokenProbabilities, wrongProbabilities } from "../token_probabilities.ts"

/** Options of {@link scoreTokens}. */
export interface ScoreOptions {
  /** How many of the likeliest tokens come with each one, from 1. Default: none. */
  readonly topLogProbabilities?: number
  /** False takes the base model. Default true. */
  readonly methods?: boolean
  /** The plugin that each list goes through, as for `Model.generate`. Default: every one goes through all plugins. */
  readonly plugins?: ReadonlyArray<string>
  /** The adapter of each list by its name in the model's bank, or `""` for none. Default: none. */
  readonly adapters?: ReadonlyArray<string>
}

/** A token of a given text. */
export interface ScoredToken extends TokenProbabilities {
  /** Its id. */
  readonly token: number
}

/**
 * How likely a causal language model finds each token of given lists after those before it. The first token of a list has no
 * probability: nothing comes before it. Lists of similar length run together.
 */
export function scoreTokens(
  model: Model,
  lists: ReadonlyArray<ArrayLike<number>>,
  options: ScoreOptions = {},
): Effect.Effect<ReadonlyArray<ReadonlyArray<ScoredToken>>, GenerateError | AdapterError> {
  return Effect.tryPromise({
    try: async (signal) => {
      const wrong = wrongScoring(model, lists, options)
      if (wrong !== undefined) throw new ModelError({ reason: "Unsupported", message: wrong })
      const choice = options.plugins && chooseByRow(model, options.plugins)
      const adapters = options.adapters?.map(model.bank!.find)
      const scored: Array<ReadonlyArray<ScoredToken>> = []
      for (const rows of batchesOf(lists, model.network.vocabSize)) {
        if (signal.aborted) break
        const made = await score(
          model,
          rows.map((row) => ({
            tokens: lists[row],
            choice: choice?.index[row] ?? 0,
            ...adapters === undefined ? {} : { adapter: adapters[row] },
          })),
          options,
          choice,
        )
        rows.forEach((row, i) => scored[row] = made[i])
      }
      return scored
    },
    catch: (cause) => cause instanceof AdapterError ? cause : toGenerateError(cause),
  })
}

/** What is wrong with the arguments, or nothing. */
function wrongScoring(
  model: Model,
  lists: ReadonlyArray<ArrayLike<number>>,
  options: ScoreOptions,
): string | undefined {
  const { plugins, adapters } = options
  const wrong = wrongArgument("options", options, OBJECT) ?? wrongLists(model, lists) ??
    unknownOption(options, { topLogProbabilities: true, methods: true, plugins: true, adapters: true }) ??
    wrongProbabilities(options)
  if (wrong !== undefined) return wrong
  if (adapters !== undefined && model.bank === undefined) {
    return "adapters needs a model with a bank of them: Model.withAdapters"
  }
  for (const [name, all] of Object.entries({ plugins, adapters })) {
    if (all !== undefined && all.length !== lists.length) {
      return `${name} must name one for each of ${lists.length} lists, got ${all.length}`
    }
  }
}

interface Scored {
  readonly tokens: ArrayLike<number>
  readonly choice: number
  readonly adapter?: BankAdapter
}

async function score(
  model: Model,
  rows: ReadonlyArray<Scored>,
  { topLogProbabilities: count = 0, methods = true }: ScoreOptions,
  choice: RowChoice | undefined,
): Promise<ReadonlyArray<ReadonlyArray<ScoredToken>>> {
  const longest = Math.max(...rows.map(({ tokens }) => tokens.length))
  const length = Math.min(lengthFor(longest), model.network.maxPositions)
  const plugins = choice?.plugins
  const banked = rows[0].adapter !== undefined
  const name = `score ${rows.length}x${length} ${count} ${methods} ${banked} ${plugins}`
  const program = await programsOf(model).get(name, () =>
    graphOf(model, rows.length, length, count, {
      methods,
      ...plugins === undefined ? {} : { plugins },
      banked,
    }))
  const tokens = new Int32Array(rows.length * length)
  rows.forEach((row, i) => tokens.set(Array.from(row.tokens), i * length))
  const data = {
    tokens,
    lengths: Int32Array.from(rows, ({ tokens }) => tokens.length),
    choice: Int32Array.from(rows, ({ choice }) => choice),
  }
  const found = banked
    ? await runWith(model.bank!, rows.map(({ adapter }) => adapter!), (adapters) => program.run({ ...data, adapters }))
    : await program.run(data)
  return rows.map(({ tokens }, row) =>
    Array.from(tokens, (token, i): ScoredToken => {
      if (i === 0) return { token }
      const at = row * (length - 1) + i - 1
      const best = Array.from({ length: count }, (_, rank) => ({
        token: found[`token ${rank}`][at],
        logProbability: found[`log ${rank}`][at],
      }))
      return { token, logProbability: found.log[at], ...count === 0 ? {} : { alternatives: best } }
    })
  )
}

/** Logarithms of the probabilities of each next token [B, T - 1] (`log`), and of the likeliest ones with their ids. */
function graphOf(
  model: Model,
  rows: number,
  length: number,
  count: number,
  { methods, plugins, banked }: {
    readonly methods: boolean
    readonly plugins?: ReadonlyArray<string>
    readonly banked: boolean
  },
): Graph {
  const of = (name: string) => ops.input(name, [rows], { dtype: "i32" })
  const tokens = ops.input("tokens", [rows, length], { dtype: "i32" })
  const batch = { tokens, lengths: of("lengths"), fields: {}, exampleWeight: ops.full(1, [rows]), task: "" }
  const { logits } = model.forward(batch, {
    training: false,
    methods,
    ...plugins === undefined ? {} : { choice: { plugins, index: of("choice") } },
    ...banked ? { adapters: of("adapters") } : {},
  })
  const before = ops.narrow(logits, 1, 0, length - 1)
  const log = (labels: Tensor) => ops.neg(ops.crossEntropy(before, labels))
  const outputs: Record<string, Tensor> = { log: log(ops.narrow(tokens, 1, 1, length)) }
  const places = ops.iota([1, 1, model.network.vocabSize], 2)
  let left = before
  for (let rank = 0; rank < count; rank++) {
    const token = ops.argmax(left)
    outputs[`token ${rank}`] = token
    outputs[`log ${rank}`] = log(token)
    left = ops.where(ops.equal(places, ops.reshape(token, [rows, length - 1, 1])), -Infinity, left)
  }
  return { name: `score ${rows}x${length}`, outputs, updates: [] }
}
