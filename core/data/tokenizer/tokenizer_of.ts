import { HALF } from "../half_characters.ts"
import { classOf } from "../tokenizer_files/classes.ts"
import type { FilesBeside } from "../tokenizer_files/files.ts"
import { overridden, tellDifferences, tellUnknown } from "../tokenizer_files/overrides.ts"
import { specialTokens } from "../tokenizer_files/special_tokens.ts"
import { cleanUp } from "./decoders.ts"
import { Fields, tokenizerError } from "./fields.ts"
import { readPipeline } from "./pipeline.ts"
import type { Tokenizer } from "./tokenizer.ts"

type Json = Readonly<Record<string, unknown>>

/** A tokenizer from the contents of its files. Throws DataError `Tokenizer` when they are not those of a tokenizer. */
export const tokenizerOf = (
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
  const named = text(given.tokenizer_class) ?? text(tokenizer_class)
  const its = classOf(named, text(model_type), hasByteLevel(file), beside.modelTokenizers)
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
    encode: (text, { addSpecialTokens = true, hidden } = {}) => {
      if (!text.isWellFormed()) throw tokenizerError(`the text holds ${HALF.what}; ${HALF.advice}`)
      const ids = pipeline.encode(text, hidden)
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
