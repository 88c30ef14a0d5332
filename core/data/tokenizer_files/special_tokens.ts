import type { AddedToken, AddedTokens } from "../tokenizer/added_tokens.ts"
import { quoted } from "../data_error.ts"
import { Fields, tokenizerError } from "../tokenizer/fields.ts"
import { type Pipeline, readAddedToken } from "../tokenizer/pipeline.ts"
import type { ClassOfDirectory } from "./classes.ts"

type Json = Readonly<Record<string, unknown>>

/** Names of special tokens. */
export const NAMES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] as const

/** The files beside tokenizer.json, and what is said of them. */
export interface Sources {
  /** Contents of tokenizer_config.json. */
  readonly config: Json
  /** Contents of special_tokens_map.json, where there is one. */
  readonly map: Json | undefined
  /** Contents of added_tokens.json, where there is one. */
  readonly added: Json | undefined
  /** Where they lie, with a "/" at the end, or "". */
  readonly directory: string
  readonly notes: Array<string>
}

/** What the files say of special tokens. */
export interface SpecialTokens {
  /** Settings of tokenizer_config.json, with what other files put over them. */
  readonly settings: Json
  /** Tokens by name. */
  readonly named: ReadonlyMap<string, AddedToken>
  /** Ids of special tokens by name, of those that are in the vocabulary. */
  readonly ids: ReadonlyMap<string, number>
}

/**
 * Special tokens as transformers finds them: `added_tokens_decoder` of tokenizer_config.json, else special_tokens_map.json
 * and added_tokens.json over tokenizer_config.json; then defaults of the class. They are added to the pipeline.
 */
export const specialTokens = (
  sources: Sources,
  file: Json,
  its: ClassOfDirectory,
  pipeline: Pipeline,
): SpecialTokens => {
  const settings = mergedSettings(sources)
  const named = namedTokens(sources, settings, file, its, pipeline)
  const contents = new Set([...named.values()].map((token) => token.content))
  const { added, id } = pipeline
  const { config } = sources
  for (const [written, token] of listedTokens(sources, settings, contents, added)) {
    const present = added.ids.get(token.content)
    const before = present === undefined ? undefined : added.tokens.get(present)
    if (before !== undefined && sameToken(before, token)) continue
    const known = id(token.content) !== undefined
    const now = added.add({ ...token, special: token.special || contents.has(token.content) })
    if (known && now === written && before === undefined) continue
    const what = before !== undefined
      ? "has other flags than in tokenizer.json, and these count"
      : `is not in tokenizer.json, so its id is ${now}${now === written ? "" : `, not ${written} as written`}`
    sources.notes.push(
      `${sources.directory}${
        config.added_tokens_decoder === undefined ? "added_tokens" : "tokenizer_config"
      }.json: the added token ${JSON.stringify(token.content)} ${what}`,
    )
  }
  const ids = new Map<string, number>()
  for (const [name, token] of named) {
    const from = `${name}_token` in settings ? "" : ` of the class (tokenizer_class)`
    const found = offer(token, `the ${name} token${from}`, sources, pipeline)
    if (found === undefined) continue
    ids.set(name, found)
    // Whatever its flag is, it is left out where special tokens are.
    added.special.add(token.content)
  }
  for (const [name, token] of extraTokens(sources, settings)) offer(token, name, sources, pipeline)
  return { settings, named, ids }
}

/** Makes sure that a token of the vocabulary is found in a text. One that is not in it stays out, and is told. */
const offer = (
  token: AddedToken,
  name: string,
  { directory, notes }: Sources,
  { added, id }: Pipeline,
): number | undefined => {
  const known = id(token.content)
  if (known === undefined) {
    const text = JSON.stringify(token.content)
    notes.push(
      `${directory}tokenizer.json: ${name} ${text} is not in the vocabulary: transformers adds it, here it is not used`,
    )
    return undefined
  }
  return added.ids.has(token.content) ? known : added.add(token)
}

const sameToken = (a: AddedToken, b: AddedToken): boolean =>
  (Object.keys(a) as ReadonlyArray<keyof AddedToken>).every((flag) => a[flag] === b[flag])

const mergedSettings = ({ config, map, directory, notes }: Sources): Json => {
  if (map === undefined) return config
  if (config.added_tokens_decoder === undefined) {
    const extra = "additional_special_tokens"
    const both = [config[extra], map[extra]].filter(Array.isArray).flat()
    return { ...config, ...map, ...(both.length > 0 ? { [extra]: both } : {}) }
  }
  const other = NAMES.map((name) => `${name}_token`).filter((key) =>
    contentOf(map[key]) !== undefined && contentOf(map[key]) !== contentOf(config[key])
  )
  if (other.length > 0) {
    notes.push(
      `${directory}special_tokens_map.json: passed over (${quoted(other)}), ` +
        `since tokenizer_config.json has "added_tokens_decoder"; so does transformers`,
    )
  }
  return config
}

const contentOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? (value as Json).content : value ?? undefined

/** A special token: a text or an object; null and "" stand for none. */
const specialToken = (value: unknown, where: string, notes: Array<string>): AddedToken | undefined => {
  if (value === undefined || value === null || value === "") return undefined
  if (typeof value === "string") {
    return { content: value, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false }
  }
  const fields = new Fields(value, where, notes)
  fields.ignore("__type")
  const token = readAddedToken(fields, false, true)
  fields.done()
  return token.content === "" ? undefined : { ...token, special: true }
}

const namedTokens = (
  { directory, notes }: Sources,
  settings: Json,
  file: Json,
  { in4, in5 }: ClassOfDirectory,
  { id }: Pipeline,
): ReadonlyMap<string, AddedToken> => {
  const named = new Map<string, AddedToken>()
  const where = `${directory}tokenizer_config.json`
  const ofOne: Array<string> = [], absent: Array<string> = []
  for (const name of NAMES) {
    const key = `${name}_token`
    if (key in settings) {
      const token = specialToken(settings[key], `${where}: ${key}`, notes)
      if (token !== undefined) named.set(name, token)
      continue
    }
    const [old, now] = [in4.tokens[name], in5.tokens[name]]
    const padding = name === "pad" ? (file.padding as Json | null | undefined)?.pad_token : undefined
    const content = old ?? now ?? padding
    if (typeof content !== "string") continue
    // A default of one version alone counts where it is in the vocabulary.
    if (old !== now && id(content) === undefined) {
      absent.push(content)
      continue
    }
    named.set(name, specialToken(content, where, notes)!)
    if (old !== now) ofOne.push(key)
  }
  if (absent.length > 0) {
    notes.push(
      `${where}: one version of transformers alone adds ${
        quoted([...new Set(absent)])
      } of the class (tokenizer_class), ` +
        "which the vocabulary does not have; here they are not used",
    )
  }
  if (ofOne.length > 0) {
    notes.push(`${where}: names no ${quoted(ofOne)}; taken as one version of transformers alone does by the class`)
  }
  return named
}

/** Tokens that files list with ids, by id. */
const listedTokens = (
  { added, config, directory, notes }: Sources,
  settings: Json,
  special: ReadonlySet<string>,
  file: AddedTokens,
): ReadonlyArray<readonly [number, AddedToken]> => {
  const decoder = config.added_tokens_decoder
  if (decoder !== undefined) {
    const where = `${directory}tokenizer_config.json: added_tokens_decoder`
    const list = new Fields(decoder, where, notes)
    return Object.keys(list.value).map((id) => {
      if (!/^\d+$/.test(id)) throw list.error(id, "should be an id")
      const fields = list.fields(id)
      const token = readAddedToken(fields, false)
      fields.done()
      return [Number(id), token] as const
    }).sort(([a], [b]) => a - b)
  }
  const extra = new Set([...special, ...extraTokens({ directory, notes }, settings).map(([, { content }]) => content)])
  return Object.entries(added ?? {}).filter(([content, id]) => {
    if (!Number.isInteger(id)) {
      throw tokenizerError(`${directory}added_tokens.json: ${JSON.stringify(content)} has no id`)
    }
    // What tokenizer.json says of a token goes before.
    return file.ids.get(content) !== id
  }).map(([content, id]) => {
    const is = extra.has(content)
    const token = { content, special: is, normalized: !is, single_word: false, lstrip: false, rstrip: false }
    return [id as number, token] as const
  }).sort(([a], [b]) => a - b)
}

/** Further special tokens: a list, or an object by name. */
const extraTokens = (
  { directory, notes }: Pick<Sources, "directory" | "notes">,
  settings: Json,
): ReadonlyArray<readonly [string, AddedToken]> =>
  ["additional_special_tokens", "extra_special_tokens"].flatMap((key) => {
    const value = settings[key]
    if (value === undefined || value === null) return []
    if (typeof value !== "object") {
      throw tokenizerError(`${directory}tokenizer_config.json: field "${key}" should be a list`)
    }
    return Object.values(value).flatMap((entry) => {
      const token = specialToken(entry, `${directory}tokenizer_config.json: ${key}`, notes)
      return token === undefined ? [] : [[`of "${key}",`, token] as const]
    })
  })
