/**
 * What becomes of a config's fields that a family does not read: most play no part, some change what a model computes.
 * @module
 */
import type { ConfigReader } from "./model_config.ts"
import { editDistance, nearest } from "./nearest.ts"

/** What a family says of fields that it does not read. */
export interface ConfigFields {
  /** Fields that play no part in what the model computes. */
  readonly harmless?: ReadonlyArray<string>
  /** By name, the values that change nothing; any other is an error. They count before those that hold in general. */
  readonly neutral?: Readonly<Record<string, ReadonlyArray<unknown>>>
}

/** Fields that say nothing of the mathematics, as transformers writes them; much is left over from generating text. */
const HARMLESS = new RegExp(`^(${
  [
    "_.*|.*_token_ids?|model_type|architectures|transformers_version|(torch_)?dtype|name_or_path|attn_implementation",
    "use_cache|use_bfloat16|torchscript|tf_legacy_loss|return_dict.*|output_(attentions|hidden_states|scores|past)",
    "(id2label|label2id|num_labels|problem_type|finetuning_task|task_specific_params|tokenizer_class|prefix)",
    "gradient_checkpointing|chunk_size_feed_forward|tie_encoder_decoder|cross_attention_hidden_size|max_window_layers",
    "(max|min)(_new)?_(length|tokens)|do_sample|num_beams|num_beam_groups|num_return_sequences|early_stopping|top_[kp]",
    "temperature|typical_p|.*_penalty|.*no_repeat_ngram_size|bad_words_ids|(begin_)?suppress_tokens|remove_invalid_values",
    "(epsilon|eta)_cutoff|(num_)?assistant_.*|target_lookbehind|initializer_range|pretraining_tp",
    // Of other programs, and of tokenizers.
    "auto_map|transformers\\.js_config|sentence_transformers|unsloth_.*|xla_device|trust_remote_code|(num_)?logits_to_keep",
    "model_max_length|tokenizer_(model_max_length|padding_side)",
    // Looked at where weights are read.
    "quantization(_config)?|compression_config",
  ].join("|")
})$`)

/** Fields that change the mathematics somewhere, each with the values that change nothing; null never does. */
const NEUTRAL: ReadonlyArray<readonly [names: RegExp, values: ReadonlyArray<unknown>]> = [
  [/^(layer|block)_types?$|^layers?_block_types?$/, ["full_attention", "attention"]],
  [/^position_embedding_type$/, ["absolute"]],
  [/partial_rotary|rotary_(pct|percent|emb_fraction)/, [1]],
  [/^no_rope_layers$/, [1]],
  [/window|rope|rotary|soft_?cap|sink|bidirectional|alibi|attention_chunk|dual_chunk|attn_temperature/, [false, 0]],
  [/(embedding|residual|attention|logits?|lm_head|key|query|value|mlp|ssm)s?_multipliers?$/, [1]],
  [/^(logits?|embeddings?|emb|attn|attention|residual)_scal(e|ing)$|^scale_(emb|embedding|depth)$|^mup|_mup$/, [
    1,
    false,
  ]],
  [/^query_pre_attn_scalar$|^clip_qkv$|^dim_model_base$|^(text|vision|audio)_config$|^per_layer_config$/, []],
  [/^(use_)?q(uery)?k?_?(layer_?)?norm|parallel_(attn|residual)|^multi_query|experts|^moe_|_moe$/, [false, 0]],
  [/^(attention|attn|mlp|qkv|use|dense|ffn|lm_head|head)_bias$|^use_qkv_bias$|^bias$/, [false]],
  [/^(add_cross_attention|is_encoder_decoder|is_decoder|pruned_heads)$/, [false]],
]

/** Fields that transformers writes, or takes, as null; of others null is an accident. */
const NULLABLE = /^(num_key_value_heads|head_dim|sliding_window|.*dropout|(attention|mlp)_bias)$/

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === "object" && Object.keys(value as object).length === 0)

function changesNothing(value: unknown, values: ReadonlyArray<unknown>): boolean {
  return isEmpty(value) || (Array.isArray(value) ? value : [value]).every((item) => values.includes(item))
}

/**
 * Looks at the fields that nobody has read: one that changes the mathematics is an error, and of others that are not
 * known a person is told. Throws JsonError.
 */
export function checkFields(config: ConfigReader, { harmless = [], neutral = {} }: ConfigFields = {}): string[] {
  const unknown: string[] = []
  for (const name of config.unread()) {
    const value = config.record[name]
    const values = Object.hasOwn(neutral, name)
      ? neutral[name]
      : HARMLESS.test(name) || harmless.includes(name)
      ? undefined
      : NEUTRAL.find(([names]) => names.test(name))?.[1]
    if (values !== undefined) {
      if (changesNothing(value, values)) continue
      const allowed = ["left out", "null", ...values.map((value) => JSON.stringify(value))].join(" or ")
      throw config.error(name, `${allowed}: it changes what a model computes, and is not known here`)
    }
    if (!isEmpty(value) && !HARMLESS.test(name) && !harmless.includes(name)) unknown.push(name)
  }
  const nulls = config.nulls().filter((name) => !NULLABLE.test(name))
  const notes = nulls.length === 0
    ? []
    : [`${config.file}: null counts as not given, so a default is taken: ${nulls.join(", ")}`]
  const known = config.asked().filter((name) => !unknown.includes(name))
  return unknown.length === 0 ? notes : [
    ...notes,
    `${config.file}: not known, so without any part in it: ${unknown.map((name) => told(name, known)).join(", ")}`,
  ]
}

/** A name, and the known one that may have been meant. */
function told(name: string, known: ReadonlyArray<string>): string {
  const near = known.length === 0 ? name : nearest(name, known)
  const edits = editDistance(name, near)
  return edits > 0 && edits <= Math.min(3, name.length / 3) ? `${name} (is ${near} meant?)` : name
}
