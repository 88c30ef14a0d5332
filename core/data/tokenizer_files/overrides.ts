import { quoted } from "../data_error.ts"
import type { Around } from "../tokenizer/post_processors.ts"
import type { ClassOfDirectory } from "./classes.ts"
import { decoderSpelling, rebuilt, spelling } from "./rebuilt.ts"
import type { SpecialTokens } from "./special_tokens.ts"

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** Settings of tokenizer_config.json for lowercased words, and the fields of a normalizer that they are. */
const WORD_SETTINGS = [
  ["do_lower_case", "lowercase", true],
  ["strip_accents", "strip_accents", null],
  ["tokenize_chinese_chars", "handle_chinese_chars", true],
] as const

/**
 * A tokenizer.json with what tokenizer_config.json puts over it in transformers 4 and 5 alike. Where one of them alone does,
 * tokenizer.json decides and it is told.
 */
export const overridden = (
  file: Json,
  config: Json,
  its: ClassOfDirectory,
  where: string,
  notes: Array<string>,
): Json => {
  let { normalizer, pre_tokenizer } = file
  if (isObject(normalizer) && normalizer.type === "BertNormalizer") {
    const takes = its.in4.parts === "lowercased words"
    const given = normalizer
    for (const [setting, field, fallback] of WORD_SETTINGS) {
      // Version 5 alone takes it, which is told.
      if (its.in4.passed?.includes(setting)) continue
      const wanted = setting in config ? config[setting] : takes ? fallback : given[field]
      if (wanted === given[field] || given[field] === undefined && wanted === null) continue
      if (takes) normalizer = { ...normalizer as Json, [field]: wanted }
      else {
        notes.push(
          `${where}tokenizer_config.json: "${setting}" is ${JSON.stringify(wanted)}, but the class ${
            its.name ?? "(none)"
          } ` +
            `does not use it: tokenizer.json says ${JSON.stringify(given[field] ?? null)}`,
        )
      }
    }
  } else if (
    config.do_lower_case === true && !/lowercase"?:true|"Lowercase"/.test(JSON.stringify(normalizer ?? null))
  ) {
    notes.push(`${where}tokenizer_config.json: "do_lower_case" is passed over: tokenizer.json does not lowercase`)
  }
  if (isObject(pre_tokenizer) && pre_tokenizer.type === "ByteLevel") {
    const wanted = config.add_prefix_space ?? false
    if (typeof wanted === "boolean" && pre_tokenizer.add_prefix_space !== wanted) {
      if (its.in5.parts.startsWith("bytes")) pre_tokenizer = { ...pre_tokenizer, add_prefix_space: wanted }
      else {
        notes.push(
          `${where}tokenizer.json: pre_tokenizer has "add_prefix_space": ${pre_tokenizer.add_prefix_space}, which is followed, ` +
            `as by transformers 5; transformers 4 takes ${wanted} by tokenizer_config.json`,
        )
      }
    }
  }
  return { ...file, normalizer, pre_tokenizer }
}

/** Tells where a version of transformers does otherwise than tokenizer.json says. */
export const tellDifferences = (
  file: Json,
  special: SpecialTokens,
  around: Around,
  its: ClassOfDirectory,
  where: string,
  notes: Array<string>,
): void => {
  tellAdded(special, around, its, where, notes)
  if (special.settings.clean_up_tokenization_spaces === true && (file.model as Json).type === "BPE") {
    notes.push(
      `${where}tokenizer_config.json: "clean_up_tokenization_spaces" takes spaces before punctuation out of decoded text, as in ` +
        "transformers 4; transformers 5 leaves them where the model is BPE",
    )
  }
  const { in5, name } = its
  const tell = (what: string) => notes.push(`${where}tokenizer.json: ${what}; here tokenizer.json is followed`)
  if (in5.parts === "unknown") {
    tell(`transformers 5 makes normalizer and pre_tokenizer anew for ${name} and may cut otherwise (not compared)`)
    return
  }
  const { named, ids, settings } = special
  const now = rebuilt(in5.parts, settings, file, named.get("unk")?.content)
  if (now === undefined) return
  const model = file.model as Json
  const defaults: Json = { fuse_unk: false, byte_fallback: false, ignore_merges: false, max_input_chars_per_word: 100 }
  const differing = [
    ...(["normalizer", "pre_tokenizer"] as const).filter((part) => spelling(file[part]) !== spelling(now[part])),
    ...Object.keys(now.model).filter((field) => (model[field] ?? defaults[field]) !== now.model[field])
      .map((field) => `model.${field}`),
    ...(now.decoder === undefined || decoderSpelling(file.decoder) === decoderSpelling(now.decoder) ? [] : ["decoder"]),
    ...(now.around === undefined || sameAround(around, now.around, ids) ? [] : ["post_processor"]),
  ]
  if (differing.length > 0) tell(`transformers 5 makes ${differing.join(", ")} anew for ${name} and may cut otherwise`)
  const added = (file.added_tokens ?? []) as ReadonlyArray<Json>
  const isNamed = ({ content }: Json) => [...named.values()].some((token) => token.content === content)
  if (in5.parts === "bytes of composed text") {
    const flagged = added.filter((token) =>
      isNamed(token) && ["single_word", "lstrip", "rstrip", "normalized"].some((flag) => token[flag] === true)
    )
    if (flagged.length > 0) {
      tell(
        `transformers 5 passes over flags of added_tokens ${quoted(flagged.map(({ content }) => content as string))}`,
      )
    }
  }
  const listed = settings.added_tokens_decoder
  if (!isObject(listed)) return
  const contents = new Set(Object.values(listed).map((token) => (token as Json).content))
  const left = added.filter((token) => !contents.has(token.content) && !isNamed(token))
    .map(({ content }) => content as string)
  if (left.length > 0) {
    tell(`transformers 5 passes over its added tokens ${quoted(left)}, which "added_tokens_decoder" does not list`)
  }
}

const sameAround = (around: Around, names: readonly [string, string], ids: ReadonlyMap<string, number>): boolean =>
  spellIds(around.before) === spellIds([ids.get(names[0])]) && spellIds(around.after) === spellIds([ids.get(names[1])])

const spellIds = (ids: ReadonlyArray<number | undefined>): string => ids.filter((id) => id !== undefined).join()

/** Tells of `add_bos_token` and `add_eos_token` where tokenizer.json does otherwise. */
const tellAdded = (
  { settings, ids }: SpecialTokens,
  around: Around,
  its: ClassOfDirectory,
  where: string,
  notes: Array<string>,
) => {
  for (const [name, side] of [["bos", "before"], ["eos", "after"]] as const) {
    const setting = `add_${name}_token`
    const wanted = settings[setting] ?? its.in4.adds?.[name]
    const id = ids.get(name)
    if (typeof wanted !== "boolean" || id === undefined && !wanted) continue
    const does = id !== undefined && around[side].includes(id)
    if (does === wanted) continue
    const said = setting in settings
      ? `"${setting}" is ${wanted}`
      : `without "${setting}", transformers 4 takes ${wanted}`
    notes.push(
      `${where}tokenizer_config.json: ${said}, but tokenizer.json puts ${does ? "its" : "no"} ${name} token ` +
        `${side} a text; it is followed, as by transformers 5 (transformers 4 goes by the setting for some classes)`,
    )
  }
}

/** Fields of tokenizer_config.json that do not change ids, or that are read elsewhere. */
const KNOWN = new Set(
  ("tokenizer_class add_bos_token add_eos_token add_prefix_space do_lower_case strip_accents tokenize_chinese_chars " +
    "added_tokens_decoder additional_special_tokens extra_special_tokens split_special_tokens clean_up_tokenization_spaces " +
    "bos_token eos_token unk_token sep_token pad_token cls_token mask_token " +
    "auto_map backend chat_template device_map do_basic_tokenize errors extra_ids from_slow full_tokenizer_file init_inputs " +
    "is_local language legacy local_files_only max_len max_length merges_file model_input_names model_max_length " +
    "model_specific_special_tokens name_or_path never_split pad_to_multiple_of pad_token_type_id padding_side " +
    "processor_class return_token_type_ids sp_model_kwargs spaces_between_special_tokens special_tokens_map_file stride " +
    "tokenizer_file tokenizer_type tokenizer_version transformers_version trim_offsets truncation_side truncation_strategy " +
    "use_default_system_prompt use_fast vocab_file vocab_size wordpieces_prefix").split(" "),
)

/** Tells of fields of tokenizer_config.json that are not known. */
export const tellUnknown = (settings: Json, where: string, notes: Array<string>): void => {
  const left = Object.keys(settings).filter((name) => !KNOWN.has(name))
  if (left.length > 0) notes.push(`${where}tokenizer_config.json: not known, so passed over: ${quoted(left)}`)
  for (
    const name of [
      "do_lower_case",
      "tokenize_chinese_chars",
      "strip_accents",
      "add_prefix_space",
      "split_special_tokens",
    ]
  ) {
    const value = settings[name] ?? false
    if (typeof value !== "boolean") {
      notes.push(`${where}tokenizer_config.json: "${name}" should be true or false, it is ${JSON.stringify(value)}`)
    }
  }
}
