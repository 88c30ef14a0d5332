/**
 * What a directory's tokenizer class adds to its files. Classes are part of the Hugging Face format: `tokenizer_config.json`
 * names one, and `model_type` of `config.json` stands for one where it does not.
 *
 * @module
 */
import type { ModelTokenizers } from "../../weights/model_tokenizers.ts"

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
  /** Settings of tokenizer_config.json for words that transformers 4 passes over. Default: none. */
  readonly passed?: ReadonlyArray<string>
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

/** Classes by what they do, without "Fast". */
const CLASSES: ReadonlyArray<readonly [names: string, TokenizerClass]> = [
  [
    "BertTokenizer DistilBertTokenizer ElectraTokenizer MobileBertTokenizer ConvBertTokenizer " +
    "LxmertTokenizer LayoutLMTokenizer SqueezeBertTokenizer RealmTokenizer RetriBertTokenizer " +
    "DPRQuestionEncoderTokenizer DPRContextEncoderTokenizer DPRReaderTokenizer",
    { tokens: brackets, parts: "lowercased words" },
  ],
  ["RoFormerTokenizer SplinterTokenizer LayoutLMv2Tokenizer", { tokens: brackets, parts: "unknown" }],
  ["RobertaTokenizer BartTokenizer LEDTokenizer LongformerTokenizer MvpTokenizer", {
    tokens: angles,
    parts: "bytes between ends",
  }],
  ["XLMRobertaTokenizer", { tokens: angles, parts: "marked words between ends" }],
  [
    "CamembertTokenizer BarthezTokenizer MBartTokenizer MBart50Tokenizer NllbTokenizer " +
    "LayoutLMv3Tokenizer LayoutXLMTokenizer MarkupLMTokenizer BlenderbotTokenizer",
    {
      tokens: angles,
      parts: "unknown",
    },
  ],
  ["MPNetTokenizer", {
    tokens: { ...angles, unk: "[UNK]" },
    parts: "lowercased words",
    passed: ["tokenize_chinese_chars"],
  }],
  ["GPT2Tokenizer", { tokens: end, parts: "bytes" }],
  ["CodeGenTokenizer WhisperTokenizer", { tokens: end, parts: "unknown" }],
  ["GPTNeoXTokenizer", { tokens: end, parts: "unknown", adds: { bos: false, eos: false } }],
  ["Qwen2Tokenizer", {
    tokens: { eos: "<|endoftext|>", unk: "<|endoftext|>", pad: "<|endoftext|>" },
    parts: "bytes of composed text",
  }],
  ["LlamaTokenizer", { tokens: text, parts: "marked text", adds: { bos: true, eos: false } }],
  ["CodeLlamaTokenizer", { tokens: text, parts: "unknown", adds: { bos: true, eos: false } }],
  ["GemmaTokenizer", {
    tokens: { bos: "<bos>", eos: "<eos>", unk: "<unk>", pad: "<pad>" },
    parts: "replaced spaces",
    adds: { bos: true, eos: false },
  }],
  ["CohereTokenizer", {
    tokens: { bos: "<BOS_TOKEN>", eos: "<|END_OF_TURN_TOKEN|>", unk: "<UNK>" },
    parts: "unknown",
    adds: { bos: true, eos: false },
  }],
  ["T5Tokenizer MT5Tokenizer", { tokens: sentences, parts: "marked words" }],
  ["PegasusTokenizer", { tokens: { ...sentences, mask: "<mask_2>" }, parts: "unknown" }],
  ["UdopTokenizer", { tokens: { ...sentences, sep: "</s>" }, parts: "unknown" }],
  ["AlbertTokenizer FNetTokenizer RemBertTokenizer", { tokens: framed, parts: "unknown" }],
  ["BigBirdTokenizer", { tokens: hybrid, parts: "unknown" }],
  ["DebertaTokenizer DebertaV2Tokenizer", { tokens: { ...brackets, bos: "[CLS]", eos: "[SEP]" }, parts: "unknown" }],
  ["XLNetTokenizer FunnelTokenizer CpmTokenizer", { tokens: lowered, parts: "unknown" }],
  ["XGLMTokenizer SeamlessM4TTokenizer", {
    tokens: { ...text, sep: "</s>", cls: "<s>", pad: "<pad>" },
    parts: "unknown",
  }],
  ["CLIPTokenizer", {
    tokens: { bos: "<|startoftext|>", eos: "<|endoftext|>", unk: "<|endoftext|>", pad: "<|endoftext|>" },
    parts: "unknown",
  }],
  ["BloomTokenizer", { tokens: { ...text, pad: "<pad>" }, parts: "none" }],
  ["PreTrainedTokenizer TokenizersBackend PythonBackend", NONE],
]

const shortName = (name: string): string => name.replace(/Fast$/, "").replace(/Tokenizer$/, "").toLowerCase()

const byName = new Map(
  CLASSES.flatMap(([names, its]) => names.split(" ").map((name) => [shortName(name), its] as const)),
)

/** The class of a directory in transformers 4 and 5. */
export interface ClassOfDirectory {
  readonly in4: TokenizerClass
  readonly in5: TokenizerClass
  /** Its name, as the files or the model type have it. */
  readonly name: string | undefined
  /** False where a name is given that is not known here. */
  readonly known: boolean
}

/**
 * Finds the class by the name in the files, else by the model type.
 *
 * @param bytes Whether tokens stand for bytes.
 * @param models What model types say; one that says nothing has the class of its own name.
 */
export const classOf = (
  named: string | undefined,
  modelType: string | undefined,
  bytes: boolean,
  models: ModelTokenizers = {},
): ClassOfDirectory => {
  const own = modelType !== undefined && Object.hasOwn(models, modelType) ? models[modelType] : undefined
  const ofType = byName.get(shortName(own?.class ?? modelType?.replace(/[^a-zA-Z0-9]/g, "") ?? ""))
  const ofName = named === undefined ? undefined : byName.get(shortName(named))
  const in4 = (named === undefined ? ofType : ofName) ?? NONE
  const name = named ?? modelType
  const known = named === undefined || ofName !== undefined
  if (own?.in5 === "own class") return { in4, in5: ofType ?? NONE, name, known }
  const marked = in4.parts === "marked text"
  if (named === undefined && marked) return { in4, in5: NONE, name, known }
  const plain = own?.in5 === "as it is" || marked && bytes
  return { in4, in5: plain ? { ...in4, parts: "none" } : in4, name, known }
}
