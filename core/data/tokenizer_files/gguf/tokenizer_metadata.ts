/**
 * A tokenizer as the metadata of a GGUF file: the inverse of `tokenizerFiles`.
 * @module
 */
import type { GgufMetadata, GgufValue } from "../../../formats/gguf/gguf_types.ts"
import { tokenizerError } from "../../tokenizer/fields.ts"
import type { Tokenizer } from "../../tokenizer/tokenizer.ts"
import { tokenizerOf } from "../../tokenizer/tokenizer_of.ts"
import type { TokenizerFiles } from "../files.ts"
import type { GgufTokenizers } from "../../../weights/gguf/gguf_names.ts"
import { preOf } from "./byte_level.ts"
import { tokenizerFiles } from "./gguf_tokenizer.ts"

type Json = Readonly<Record<string, unknown>>

/** Types of tokens by their number. */
const NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6

/** A text with much that tokenizers cut in different ways. */
const PROBE = "Hello, World! It's 3.14 or 1999\n\n  naïve café — déjà vu 漢字 😀\t<b>x_y</b> don't  I'LL"

/**
 * The metadata of a tokenizer. Throws DataError where GGUF cannot hold it: what is read back must give the same tokens.
 *
 * @param rows Tokens that the model has; ids without a token are marked as unused.
 * @param known What the families at hand call tokenizers.
 * @param chat The chat template. Default: that of the config.
 */
export function tokenizerMetadata(
  files: TokenizerFiles,
  rows: number,
  source: string,
  known: GgufTokenizers,
  chat?: string,
): GgufMetadata {
  const tokenizer = tokenizerOf(files.model, files.config, `${source}/tokenizer.json`, files)
  const { model, added_tokens: added = [] } = files.model as {
    readonly model: Json
    readonly added_tokens?: ReadonlyArray<Json>
  }
  const refuse = (what: string) =>
    tokenizerError(`${source}: its tokenizer ${what}, which a GGUF file cannot hold here; save a checkpoint`)
  if (model.type !== "BPE") throw refuse(`is of kind ${JSON.stringify(model.type)}`)
  const isPieces = model.byte_fallback === true
  const pre = isPieces ? undefined : preOf(files.model as Json, known)
  if (!isPieces && pre === undefined) throw refuse("cuts texts in a way that has no name (tokenizer.ggml.pre)")
  const kind = Object.keys(known.kinds).find((name) => known.kinds[name] === (isPieces ? "pieces" : "bytes"))
  if (kind === undefined) throw refuse("is of a kind that has no name (tokenizer.ggml.model)")
  const special = new Map(added.map((one) => [String(one.content), one.special === true]))
  const tokens = Array.from({ length: rows }, (_, id) => tokenizer.token(id) ?? `[PAD${id}]`)
  const types = tokens.map((token, id) => typeOf(token, tokenizer.token(id) !== undefined, special, model))
  const merges = (model.merges as ReadonlyArray<string | ReadonlyArray<string>>).map((pair) =>
    typeof pair === "string" ? pair : pair.join(" ")
  )
  const texts = (items: ReadonlyArray<string>): GgufValue => ({ type: "array", value: { of: "string", items } })
  const text = (value: string): GgufValue => ({ type: "string", value })
  const metadata = new Map<string, GgufValue>([
    ["tokenizer.ggml.model", text(kind)],
    ...(pre === undefined ? [] : [["tokenizer.ggml.pre", text(pre)] as const]),
    ["tokenizer.ggml.tokens", texts(tokens)],
    ["tokenizer.ggml.token_type", { type: "array", value: { of: "int32", items: types } }],
    ...(isPieces
      ? [
        ["tokenizer.ggml.scores", {
          type: "array",
          value: { of: "float32", items: scoresOf(tokens, merges) },
        }] as const,
      ]
      : [["tokenizer.ggml.merges", texts(merges)] as const]),
    ...specialIds(tokenizer, refuse),
    ...(chat === undefined ? chatTemplate(files.config as Json) : [chat]).map((template) =>
      ["tokenizer.chat_template", text(template)] as const
    ),
  ])
  checkSame(metadata, tokenizer, { source, known, refuse })
  return metadata
}

function typeOf(token: string, isKnown: boolean, special: ReadonlyMap<string, boolean>, model: Json): number {
  if (!isKnown) return UNUSED
  if (token === model.unk_token) return UNKNOWN
  const isSpecial = special.get(token)
  if (isSpecial !== undefined) return isSpecial ? CONTROL : USER_DEFINED
  return model.byte_fallback === true && /^<0x[0-9A-F]{2}>$/.test(token) ? BYTE : NORMAL
}

/** Scores that merge in the order of the merges: the first one highest. */
function scoresOf(tokens: ReadonlyArray<string>, merges: ReadonlyArray<string>): ReadonlyArray<number> {
  const ranks = new Map<string, number>()
  merges.forEach((pair, rank) => {
    const whole = pair.replace(" ", "")
    if (!ranks.has(whole)) ranks.set(whole, rank)
  })
  return tokens.map((token) => -(ranks.get(token) ?? 0))
}

/** Ids of special tokens, and whether texts begin and end with them. */
function specialIds(
  tokenizer: Tokenizer,
  refuse: (what: string) => Error,
): ReadonlyArray<readonly [string, GgufValue]> {
  const { bosId, eosId, padId } = tokenizer
  const [around, inner] = [true, false].map((addSpecialTokens) => [...tokenizer.encode("a", { addSpecialTokens })])
  const addsBos = bosId !== undefined && around[0] === bosId && inner[0] !== bosId
  const addsEos = eosId !== undefined && around.at(-1) === eosId && inner.at(-1) !== eosId
  if (around.length !== inner.length + Number(addsBos) + Number(addsEos)) {
    throw refuse("puts other tokens than bos and eos around a text")
  }
  const ids = Object.entries({ bos: bosId, eos: eosId, padding: padId }).flatMap(([name, value]) =>
    value === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, { type: "uint32", value }] as const]
  )
  return [
    ...ids,
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: addsBos }],
    ["tokenizer.ggml.add_eos_token", { type: "bool", value: addsEos }],
  ]
}

/** The template of a config, where it has one. */
function chatTemplate({ chat_template: given }: Json): ReadonlyArray<string> {
  const named = Array.isArray(given) ? given.find(({ name }) => name === "default")?.template : given
  return typeof named === "string" ? [named] : []
}

/** Throws where the metadata, read back, cuts a text otherwise. */
function checkSame(
  metadata: GgufMetadata,
  tokenizer: Tokenizer,
  { source, known, refuse }: {
    readonly source: string
    readonly known: GgufTokenizers
    readonly refuse: (what: string) => Error
  },
): void {
  const files = tokenizerFiles(metadata, source, known)
  const other = tokenizerOf(files["tokenizer.json"], files["tokenizer_config.json"], source)
  const [own, again] = [tokenizer, other].map(({ encode }) => encode(PROBE))
  if (`${own}` !== `${again}`) throw refuse("cuts a text otherwise than what GGUF would hold of it")
}
