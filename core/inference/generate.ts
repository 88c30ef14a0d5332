/**
 * Text that follows a prompt.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { BackendError } from "../backend/backend_error.ts"
import { PluginError } from "../contracts/plugin_error.ts"
import { attempt, type DataError } from "../data/data_error.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { chooseByRow } from "../model/sites/choose_by_row.ts"
import type { Model } from "../model/model.ts"
import { ModelError } from "../model/model_error.ts"
import { OBJECT, wrongArgument } from "../options/argument.ts"
import type { BeamOptions } from "./beams/beam_search.ts"
import type { Engine, RowOptions } from "./engine.ts"
import { TOKENIZER, tokenizerOf } from "./tokenizer_option.ts"

/** Options of {@link generate}. With several beams nothing is drawn: no `temperature`. */
export interface GenerateOptions extends
  Omit<
    RowOptions,
    "plugin" | "adapter" | "stream" | "logProbabilities" | "topLogProbabilities" | "constraint" | "onToken"
  >,
  BeamOptions {
  /**
   * Ids of tokens that end a text; the one that came is part of the result. Default: of texts the tokenizer's end token and
   * those of `generation_config.json` (`eos_token_id`), of ids none.
   */
  readonly stop?: ReadonlyArray<number>
  /** False takes the base model. Default true. */
  readonly methods?: boolean
  /** The plugin that each prompt goes through, as for `evaluate`. Default: every prompt goes through all plugins. */
  readonly plugins?: ReadonlyArray<string>
  /** For prompts that are texts. Default: the one in the model's directory. */
  readonly tokenizer?: Tokenizer
}

/** Why no text was generated. */
export type GenerateError = ModelError | PluginError | BackendError

/**
 * Continues a text: gives what follows it, without special tokens. Compiled programs are kept for the model, or view, and
 * freed with its scope; a second text of similar length compiles nothing.
 */
export function generate(
  model: Model,
  prompt: string,
  options?: GenerateOptions,
): Effect.Effect<string, GenerateError | DataError, FileSystem.FileSystem>
/** Continues token ids: gives the new ones alone. */
export function generate(
  model: Model,
  prompt: Int32Array,
  options?: GenerateOptions,
): Effect.Effect<Int32Array, GenerateError>
/** Continues several texts at once. */
export function generate(
  model: Model,
  prompts: ReadonlyArray<string>,
  options?: GenerateOptions,
): Effect.Effect<ReadonlyArray<string>, GenerateError | DataError, FileSystem.FileSystem>
/** Continues several lists of token ids at once. */
export function generate(
  model: Model,
  prompts: ReadonlyArray<Int32Array>,
  options?: GenerateOptions,
): Effect.Effect<ReadonlyArray<Int32Array>, GenerateError>
export function generate(
  model: Model,
  prompt: string | Int32Array | ReadonlyArray<string> | ReadonlyArray<Int32Array>,
  options: GenerateOptions = {},
): Effect.Effect<unknown, GenerateError | DataError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const wrong = wrongOptions(options)
    if (wrong !== undefined) return yield* new ModelError({ reason: "Unsupported", message: wrong })
    const several = Array.isArray(prompt) && typeof prompt[0] !== "number"
    const prompts: ReadonlyArray<string | Int32Array> = several ? prompt : [prompt as string | Int32Array]
    if (!prompts.some((one) => typeof one === "string")) {
      const made = yield* continuations(model, prompts as ReadonlyArray<Int32Array>, options)
      return several ? made : made[0]
    }
    const { tokenizer, ids, stop } = yield* encoded(model, prompts, options)
    const made = yield* continuations(model, ids, { ...options, stop })
    const texts = made.map((own, i) => textAfter(tokenizer, textBefore(model, ids[i]), own))
    return several ? texts : texts[0]
  })
}

/** What is wrong with options that no row checks, or nothing. */
export function wrongOptions(options: Pick<GenerateOptions, "tokenizer">): string | undefined {
  const { tokenizer } = options ?? {}
  return wrongArgument("options", options, OBJECT) ??
    (tokenizer === undefined ? undefined : wrongArgument("tokenizer", tokenizer, TOKENIZER))
}

/** Token ids of prompts, and those that end what follows them. */
export function encoded(
  model: Model,
  prompts: ReadonlyArray<string | Int32Array>,
  options: Pick<GenerateOptions, "tokenizer" | "stop">,
): Effect.Effect<
  {
    readonly tokenizer: Tokenizer
    readonly ids: ReadonlyArray<Int32Array>
    readonly stop: ReadonlyArray<number>
  },
  ModelError | DataError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const tokenizer = yield* tokenizerOf(model, options.tokenizer)
    const { endTokens } = yield* Effect.promise(() => import("./text/end_tokens.ts"))
    const stop = options.stop ?? (yield* endTokens(model, tokenizer))
    const ids = yield* attempt(() => prompts.map((one) => typeof one === "string" ? tokenizer.encode(one) : one))
    return { tokenizer, ids, stop }
  })
}

/** The engine that these prompts share with others. Rows that choose from the same plugins share one, whatever their order. */
export async function engineFor(
  model: Model,
  methods: boolean,
  plugins: ReadonlyArray<string> | undefined,
): Promise<Engine> {
  const choice = plugins === undefined ? {} : { plugins: chooseByRow(model, plugins).plugins }
  const { sharedEngine } = await import("./shared_engines.ts")
  return sharedEngine(model, { methods, ...choice })
}

/** New ids of each prompt. */
function continuations(
  model: Model,
  prompts: ReadonlyArray<Int32Array>,
  { methods = true, plugins, tokenizer: _, ...given }: GenerateOptions,
): Effect.Effect<ReadonlyArray<Int32Array>, GenerateError> {
  return Effect.tryPromise({
    try: async (signal) => {
      if (plugins !== undefined && plugins.length !== prompts.length) {
        const message = `plugins must name one for each of ${prompts.length} prompts, got ${plugins.length}`
        throw new ModelError({ reason: "Unsupported", message })
      }
      const { numBeams = 1, lengthPenalty, earlyStopping, ...options } = given
      if (numBeams !== 1 || lengthPenalty !== undefined || earlyStopping !== undefined) {
        const { searched } = await import("./beams/beam_searcher.ts")
        const options = { ...given, methods, ...plugins === undefined ? {} : { plugins } }
        return (await searched(model, prompts, options, signal)).map(([best]) => best.text)
      }
      const engine = await engineFor(model, methods, plugins)
      const made = new Map<number, Array<number>>()
      const open = new Set<number>()
      try {
        prompts.forEach((prompt, stream) => {
          const plugin = plugins === undefined ? {} : { plugin: plugins[stream] }
          const id = engine.insert(prompt, { ...options, ...plugin, stream })
          made.set(id, [])
          open.add(id)
        })
        while (open.size > 0 && !signal.aborted) {
          for (const [id, { token, finished }] of await engine.next()) {
            made.get(id)?.push(token)
            if (finished !== undefined) open.delete(id)
          }
        }
        return [...made.values()].map((ids) => Int32Array.from(ids))
      } finally {
        open.forEach(engine.remove)
      }
    },
    catch: toGenerateError,
  })
}

/** What was thrown, typed: what is not known comes from a run. */
export function toGenerateError(cause: unknown): GenerateError {
  return cause instanceof ModelError || cause instanceof PluginError || cause instanceof BackendError
    ? cause
    : new BackendError({ reason: "Run", message: (cause as Error).message, cause })
}

/** What the new tokens of a prompt continue: nothing in an encoder-decoder model, where they are a text of their own. */
export function textBefore({ network }: Model, prompt: Int32Array): Int32Array {
  return network.startToken === undefined ? prompt : new Int32Array(0)
}

/** What new tokens add to a prompt's text: some tokenizers write a first token otherwise than a later one. */
export function textAfter(
  { decode }: Pick<Tokenizer, "decode">,
  prompt: ArrayLike<number>,
  made: ArrayLike<number>,
): string {
  const [before, whole, alone] = [prompt, [...Array.from(prompt), ...Array.from(made)], made].map((ids) =>
    decode(ids, { skipSpecialTokens: true })
  )
  return whole.startsWith(before) ? whole.slice(before.length) : alone
}
