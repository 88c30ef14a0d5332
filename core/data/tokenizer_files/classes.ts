/**
 * What a directory's tokenizer class adds to its files. Classes are part of the Hugging Face format: `tokenizer_config.json`
 * names one, and so does `model_type` of `config.json` where it does not.
 *
 * @module
 */

/** Which parts of tokenizer.json a class makes anew in transformers 5, or takes from tokenizer_config.json. */
export type Parts =
  | "lowercased words"
  | "bytes"
  | "bytes between ends"
  | "bytes of composed text"
  | "marked text"
  | "replaced spaces"
  | "marked words"
  | "marked words between ends"
  | "unknown"
  | "none"

/** One or several classes that do the same. */
export interface TokenizerClass {
  /** Special tokens where the files name none, by name. */
  readonly tokens: Readonly<Record<string, string>>
  /** What is made anew. */
  readonly parts: Parts
  /** Tokens around a text are put there by these two settings in transformers 4: their defaults. */
  readonly adds?: { readonly bos: boolean; readonly eos: boolean }
}

const NONE: TokenizerClass = { tokens: {}, parts: "none" }

const brackets = { unk: "[UNK]", sep: "[SEP]", pad: "[PAD]", cls: "[CLS]", mask: "[MASK]" }
const text = { bos: "<s>", eos: "</s>", unk: "<unk>" }
const angles = { ...text, sep: "</s>", cls: "<s>", pad: "<pad>", mask: "<mask>" }
const end = { bos: "<|endoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>" }
const sentences = { eos: "</s>", unk: "<unk>", pad: "<pad>" }
const hybrid = { ...text, unk: "<unk>", sep: "[SEP]", pad: "<pad>", cls: "[CLS]", mask: "[MASK]" }
const framed = { ...hybrid, bos: "[CLS]", eos: "[SEP]" }
const lowered = { ...text, unk: "<unk>", sep: "<sep>", pad: "<pad>", cls: "<cls>", mask: "<mask>" }

/** Classes by what they do, without "Tokenizer" and "Fast". */
const CLASSES: ReadonlyArray<readonly [names: string, TokenizerClass]> = [
  [
    "Bert DistilBert Electra MobileBert ConvBert Lxmert LayoutLM SqueezeBert Realm RetriBert DPRQuestionEncoder " +
    "DPRContextEncoder DPRReader",
    { tokens: brackets, parts: "lowercased words" },
  ],
  ["RoFormer Splinter LayoutLMv2", { tokens: brackets, parts: "unknown" }],
  ["Roberta Bart LED Longformer Mvp", { tokens: angles, parts: "bytes between ends" }],
  ["XLMRoberta", { tokens: angles, parts: "marked words between ends" }],
  ["Camembert Barthez MBart MBart50 Nllb LayoutLMv3 LayoutXLM MarkupLM Blenderbot", {
    tokens: angles,
    parts: "unknown",
  }],
  ["MPNet", { tokens: { ...angles, unk: "[UNK]" }, parts: "unknown" }],
  ["GPT2", { tokens: end, parts: "bytes" }],
  ["CodeGen Whisper", { tokens: end, parts: "unknown" }],
  ["GPTNeoX", { tokens: end, parts: "unknown", adds: { bos: false, eos: false } }],
  ["Qwen2", {
    tokens: { eos: "<|endoftext|>", unk: "<|endoftext|>", pad: "<|endoftext|>" },
    parts: "bytes of composed text",
  }],
  ["Llama", { tokens: text, parts: "marked text", adds: { bos: true, eos: false } }],
  ["CodeLlama", { tokens: text, parts: "unknown", adds: { bos: true, eos: false } }],
  ["Gemma", {
    tokens: { bos: "<bos>", eos: "<eos>", unk: "<unk>", pad: "<pad>" },
    parts: "replaced spaces",
    adds: { bos: true, eos: false },
  }],
  ["Cohere", {
    tokens: { bos: "<BOS_TOKEN>", eos: "<|END_OF_TURN_TOKEN|>", unk: "<UNK>" },
    parts: "unknown",
    adds: { bos: true, eos: false },
  }],
  ["T5 MT5", { tokens: sentences, parts: "marked words" }],
  ["Pegasus", { tokens: { ...sentences, mask: "<mask_2>" }, parts: "unknown" }],
  ["Udop", { tokens: { ...sentences, sep: "</s>" }, parts: "unknown" }],
  ["Albert FNet RemBert", { tokens: framed, parts: "unknown" }],
  ["BigBird", { tokens: hybrid, parts: "unknown" }],
  ["Deberta DebertaV2", { tokens: { ...brackets, bos: "[CLS]", eos: "[SEP]" }, parts: "unknown" }],
  ["XLNet Funnel Cpm", { tokens: lowered, parts: "unknown" }],
  ["XGLM SeamlessM4T", { tokens: { ...text, sep: "</s>", cls: "<s>", pad: "<pad>" }, parts: "unknown" }],
  ["CLIP", {
    tokens: { bos: "<|startoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>", pad: "<|endoftext|>" },
    parts: "unknown",
  }],
  ["Bloom", { tokens: { ...text, pad: "<pad>" }, parts: "none" }],
  ["PreTrained TokenizersBackend PythonBackend", NONE],
]

/** Model types whose class has another name. */
const MODELS: Readonly<Record<string, string>> = {
  mistral: "Llama",
  mixtral: "Llama",
  qwen3: "Qwen2",
  qwen2moe: "Qwen2",
  qwen3moe: "Qwen2",
  gemma2: "Gemma",
  gemma3: "Gemma",
  gemma3text: "Gemma",
  opt: "GPT2",
  gptneo: "GPT2",
  gptj: "GPT2",
}

/** Model types for which transformers 5 takes tokenizer.json as it is, whatever class is named. */
const PLAIN_MODELS = ["mistral", "mixtral", "llama"]

const byName = new Map(
  CLASSES.flatMap(([names, its]) => names.split(" ").map((name) => [name.toLowerCase(), its] as const)),
)

const shortName = (name: string): string => name.replace(/Fast$/, "").replace(/Tokenizer$/, "").toLowerCase()

/** The class of a directory in transformers 4 and 5. */
export interface ClassOfDirectory {
  readonly in4: TokenizerClass
  readonly in5: TokenizerClass
  /** Its name, as the files or the model type have it. */
  readonly name: string | undefined
  /** False where a name is given that is not known here. */
  readonly known: boolean
}

/** Finds the class by the name in the files, else by the model type. */
export const classOf = (named: string | undefined, modelType: string | undefined, bytes: boolean): ClassOfDirectory => {
  const type = modelType?.toLowerCase().replace(/[^a-z0-9]/g, "")
  const ofType = type === undefined ? undefined : byName.get(MODELS[type]?.toLowerCase() ?? type)
  const ofName = named === undefined ? undefined : byName.get(shortName(named))
  const in4 = (named === undefined ? ofType : ofName) ?? NONE
  const name = named ?? modelType
  const known = named === undefined || ofName !== undefined
  // For this one type, the class that the files name does not count in transformers 5.
  if (type === "qwen2") return { in4, in5: ofType!, name, known }
  const plain = type !== undefined && PLAIN_MODELS.includes(type) && (named === undefined || type !== "llama")
  const in5 = plain || (in4.parts === "marked text" && bytes) ? { ...in4, parts: "none" as const } : in4
  return { in4, in5: plain && named === undefined ? NONE : in5, name, known }
}
