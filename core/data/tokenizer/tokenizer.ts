/**
 * Tokenizers: from `tokenizer.json` as Hugging Face writes it, or from a GGUF file.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt, type DataError } from "../data_error.ts"
import { HALF } from "../half_characters.ts"
import { cleanUp } from "./decoders.ts"
import { Fields, tokenizerError } from "./fields.ts"
import { readPipeline } from "./pipeline.ts"
import { classOf } from "../tokenizer_files/classes.ts"
import { type FilesBeside, readFiles } from "../tokenizer_files/files.ts"
import { overridden, tellDifferences, tellUnknown } from "../tokenizer_files/overrides.ts"
import { specialTokens } from "../tokenizer_files/special_tokens.ts"

export type { FilesBeside }

/** Text to token ids and back. */
export interface Tokenizer {
  /** Number of ids: one more than the largest. */
  readonly vocabSize: number
  /** Id that fills up short rows, where the tokenizer names one. */
  readonly padId?: number
  /** Id that ends a text, where the tokenizer names one. */
  readonly eosId?: number
  /** Id that begins a text, where the tokenizer names one. */
  readonly bosId?: number
  /** Id that stands for a hidden token, where the tokenizer names one. */
  readonly maskId?: number
  /** What a person should know of how the files were read. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
  /** Whether {@link Tokenizer.encode} puts special tokens around a text. */
  readonly addsSpecialTokens: boolean
  /**
   * Token ids of a text. Special tokens that the tokenizer puts around it are added by default.
   *
   * @throws DataError `Tokenizer` when the tokenizer has no token for a piece of the text, or it holds half of a character.
   */
  readonly encode: (text: string, options?: { readonly addSpecialTokens?: boolean }) => Int32Array
  /** Text of token ids, special tokens included unless told otherwise. */
  readonly decode: (ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }) => string
  /** The token itself as the vocabulary spells it; undefined for an unknown id. */
  readonly token: (id: number) => string | undefined
  /** Id of a token as the vocabulary spells it; undefined for an unknown token. */
  readonly id: (token: string) => number | undefined
}

/**
 * Loads a tokenizer from a model's directory: `tokenizer.json`, and what transformers reads beside it where it is there:
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, and the model type of `config.json`. Or from a
 * GGUF file, or a directory with one and no tokenizer.json.
 *
 * Fails with a {@link DataError}: `NotFound` without a tokenizer.json, `Tokenizer` when a file is not what it should be.
 */
export const loadTokenizer = (directory: string): Effect.Effect<Tokenizer, DataError, FileSystem.FileSystem> =>
  Effect.flatMap(
    readFiles(directory),
    ({ model, config, ...beside }) =>
      attempt(() => makeTokenizer(model, config, `${directory}/tokenizer.json`, beside)),
  )

type Json = Readonly<Record<string, unknown>>

/**
 * A tokenizer from the contents of `tokenizer.json` and `tokenizer_config.json`, and of files beside them. Where transformers
 * 4 and 5 read them differently, tokenizer.json decides and {@link Tokenizer.notes} tell so.
 *
 * @throws DataError `Tokenizer` when they are not those of a tokenizer.
 */
export const makeTokenizer = (
  model: unknown,
  config: unknown = {},
  source = "tokenizer.json",
  beside: FilesBeside = {},
): Tokenizer => {
  const directory = source.slice(0, source.lastIndexOf("/") + 1)
  const notes: Array<string> = []
  const object = (value: unknown, name: string): Json => new Fields(value, `${directory}${name}`, notes).value
  const optional = (value: unknown, name: string) => value === undefined ? undefined : object(value, name)
  const file = object(model, "tokenizer.json")
  const given = object(config, "tokenizer_config.json")
  const { tokenizer_class, model_type } = optional(beside.modelConfig, "config.json") ?? {}
  const text = (value: unknown) => typeof value === "string" ? value : undefined
  const its = classOf(text(given.tokenizer_class) ?? text(tokenizer_class), text(model_type), hasByteLevel(file))
  if (!its.known) {
    notes.push(
      `${directory}tokenizer_config.json: "tokenizer_class" is ${its.name}, which is not known: no tokens come with it`,
    )
  }
  const effective = overridden(file, given, its, directory, notes)
  const pipeline = readPipeline(effective, source, notes)
  if (pipeline.vocabSize === 0) throw tokenizerError(`${source} has an empty vocabulary`)
  const map = optional(beside.specialTokensMap, "special_tokens_map.json")
  const added = optional(beside.addedTokens, "added_tokens.json")
  const special = specialTokens({ config: given, map, added, directory, notes }, file, its, pipeline)
  const { settings, ids } = special
  pipeline.prepare(settings.split_special_tokens === true)
  tellUnknown(settings, directory, notes)
  tellDifferences(effective, special, pipeline.around, its, directory, notes)

  const { before, after } = pipeline.around
  const cleans = settings.clean_up_tokenization_spaces === true
  const known = (["pad", "eos", "bos", "mask"] as const).flatMap((name) =>
    ids.has(name) ? [[`${name}Id`, ids.get(name)]] : []
  )
  return {
    vocabSize: pipeline.vocabSize,
    addsSpecialTokens: before.length + after.length > 0,
    ...Object.fromEntries(known) as Pick<Tokenizer, "padId" | "eosId" | "bosId" | "maskId">,
    ...(notes.length === 0 ? {} : { notes }),
    encode: (text, { addSpecialTokens = true } = {}) => {
      if (!text.isWellFormed()) throw tokenizerError(`the text holds ${HALF.what}; ${HALF.advice}`)
      const ids = pipeline.encode(text)
      return Int32Array.from(addSpecialTokens ? [...before, ...ids, ...after] : ids)
    },
    decode: (ids, { skipSpecialTokens = false } = {}) => {
      const text = pipeline.decode(ids, skipSpecialTokens)
      return cleans ? cleanUp(text) : text
    },
    token: pipeline.token,
    id: pipeline.id,
  }
}

/** Whether tokens stand for bytes, wherever the file says so. */
const hasByteLevel = ({ pre_tokenizer, decoder }: Json): boolean =>
  JSON.stringify([pre_tokenizer, decoder]).includes('"type":"ByteLevel"')
