import { type AddedToken, AddedTokens } from "./added_tokens.ts"
import { readDecoder } from "./decoders.ts"
import { Fields } from "./fields.ts"
import type { Model } from "./models/model.ts"
import { readModel } from "./models/read_model.ts"
import { readNormalizer } from "./normalizers.ts"
import { type Around, readPostProcessor } from "./post_processors.ts"
import { readPreTokenizer, type Sink } from "./pre_tokenizers.ts"

/** A tokenizer.json that can be run. */
export interface Pipeline {
  /** One more than the largest id. */
  readonly vocabSize: number
  /** Tokens that were added, for more to be added before {@link Pipeline.prepare}. */
  readonly added: AddedTokens
  /** Ids around a text. */
  readonly around: Around
  /** Makes ready; with `splitSpecial` special tokens in a text are text. */
  readonly prepare: (splitSpecial: boolean) => void
  /** Ids of a text, without those around it, and without a character `hidden` that keeps added tokens from being found. */
  readonly encode: (text: string, hidden?: string) => Array<number>
  /** Text of ids. */
  readonly decode: (ids: ArrayLike<number>, skipSpecial: boolean) => string
  /** Token of an id. */
  readonly token: (id: number) => string | undefined
  /** Id of a token. */
  readonly id: (token: string) => number | undefined
}

/** Flags of an added token and what they are where a file leaves them out. */
const FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"] as const

/** An added token as files hold it. A flag that should be there and is not counts as false, and is told. */
export const readAddedToken = (fields: Fields, required: boolean, special = false): AddedToken => {
  const content = fields.string("content")
  const missing = FLAGS.filter((flag) => fields.any(flag) === undefined)
  if (required && missing.length > 0) {
    fields.notes.push(`${fields.where}: fields missing, so taken as false: ${missing.join(", ")}`)
  }
  special = fields.boolean("special", special)
  return {
    content,
    special,
    single_word: fields.boolean("single_word", false),
    lstrip: fields.boolean("lstrip", false),
    rstrip: fields.boolean("rstrip", false),
    normalized: fields.boolean("normalized", required ? false : !special),
  }
}

/** Adds the file's tokens. Their ids are those of the vocabulary, or the next ones: the written ids are only compared. */
const addTokens = (file: Fields, added: AddedTokens): void => {
  if (file.any("added_tokens") === undefined) {
    file.notes.push(`${file.where}: field "added_tokens" is missing, so there are none`)
    return
  }
  file.list("added_tokens").forEach((entry, at) => {
    const fields = new Fields(entry, `${file.where}: added_tokens[${at}]`, file.notes)
    const written = fields.count("id")
    const token = readAddedToken(fields, true)
    fields.done()
    const id = added.add(token)
    if (id === undefined || id === written) return
    file.notes.push(
      `${fields.where}: ${JSON.stringify(token.content)} has the id ${id}, not ${written} as written there`,
    )
  })
}

/** Reads a tokenizer.json. */
export const readPipeline = (value: unknown, source: string, notes: Array<string>): Pipeline => {
  const file = new Fields(value, source, notes)
  const version = file.any("version")
  if (version !== undefined && version !== "1.0") {
    throw file.error("version", `is ${JSON.stringify(version)}; known: "1.0"`)
  }
  // Both are for batches; the reference does without them unless asked.
  file.ignore("truncation", "padding")
  const part = <A>(name: string, read: (fields: Fields) => A): A | undefined => {
    if (file.any(name) !== undefined) {
      return file.optional(name, () => read(new Fields(file.value[name], `${source}: ${name}`, notes)))
    }
    notes.push(`${source}: field ${JSON.stringify(name)} is missing, so there is none`)
    return undefined
  }
  if (file.any("model") === undefined) throw file.error("model", "is missing")
  const model = readModel(new Fields(file.any("model"), `${source}: model`, notes))
  const added = new AddedTokens(model.vocab, model.size)
  addTokens(file, added)
  const normalizer = part("normalizer", readNormalizer)
  const preTokenizer = part("pre_tokenizer", readPreTokenizer)
  const id = (token: string) => added.ids.get(token) ?? model.vocab.get(token)
  const around = part("post_processor", (fields) => readPostProcessor(fields, id)) ?? { before: [], after: [] }
  const decoder = part("decoder", readDecoder)
  file.done()

  let ids: Array<number> = []
  const take: Sink = (word) => {
    for (const id of model.tokenize(word)) ids.push(id)
  }
  const cut = preTokenizer === undefined ? take : preTokenizer(take)
  const tokens = tokensOf(model)
  const token = (id: number) => added.tokens.get(id)?.content ?? tokens.get(id)
  return {
    get vocabSize() {
      let size = 0
      for (const id of tokens.keys()) size = Math.max(size, id + 1)
      for (const id of added.tokens.keys()) size = Math.max(size, id + 1)
      return size
    },
    added,
    around,
    prepare: (splitSpecial) => {
      for (const token of added.prepare(normalizer, splitSpecial)) {
        notes.push(
          `${source}: the added token ${
            JSON.stringify(token)
          } normalizes to nothing or to another token, so it is not found`,
        )
      }
    },
    encode: (text, hidden) => {
      ids = []
      for (const section of added.sections(text, normalizer)) {
        if ("id" in section) ids.push(section.id)
        else cut(hidden === undefined ? section.text : section.text.replaceAll(hidden, ""), section.begins)
      }
      return ids
    },
    decode: (ids, skipSpecial) => {
      const known = Array.from(ids, token)
        .filter((token) => token !== undefined && !(skipSpecial && added.special.has(token))) as Array<string>
      return decoder === undefined ? known.join(" ") : decoder(known).join("")
    },
    token,
    id,
  }
}

const tokensOf = (model: Model): ReadonlyMap<number, string> => {
  const tokens = new Map<number, string>()
  for (const [token, id] of model.vocab) tokens.set(id, token)
  return tokens
}
