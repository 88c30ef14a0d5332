import type { Head } from "../../core/contracts/head.ts"
import * as blocks from "../../core/model/blocks/mod.ts"
import type { Module } from "../../core/model/module.ts"
import type { Network } from "../../core/model/network.ts"

/** What layers differ in. */
export interface DecoderLayer {
  /** Rotary positions. Default: none. */
  readonly rope?: blocks.Rope | undefined
  /** Distance from which on tokens are hidden. Default: none. */
  readonly window?: number | undefined
}

/** Names within a layer of the norm before a part, and of the one after it, if any. */
export type PartNorms = readonly [before: string, after?: string]

/** A decoder: what its config says. */
export interface DecoderConfig extends blocks.HeadSizes {
  /** Names of transformers' classes by the kind of their head. */
  readonly classes: Readonly<Record<Head["kind"], string>>
  readonly layers: ReadonlyArray<DecoderLayer>
  readonly intermediateSize: number
  readonly vocabSize: number
  readonly maxPositions: number
  /** Of RMS norms. */
  readonly epsilon: number
  /** Standard deviation of new weights. */
  readonly std: number
  readonly activation: blocks.Activation
  /** Whether the output is the embedding of tokens. */
  readonly isTied: boolean
  /** Of queries, keys and values. */
  readonly bias: boolean
  readonly outputBias: boolean
  readonly feedForwardBias: boolean
  /** Of the weights of attention. */
  readonly dropout: number
  /** Before a head of tokens. */
  readonly tokenDropout: number
  /** Whether heads of queries and keys have norms. Default false. */
  readonly hasHeadNorms?: boolean
  /** What is added to the weights of norms. Default 0. */
  readonly normOffset?: 0 | 1
  /** Norms of the two parts. Default `input_layernorm` and `post_attention_layernorm`, before them. */
  readonly norms?: { readonly attention: PartNorms; readonly feedForward: PartNorms }
  /** Names of the modules of the feed-forward. Default `gate_proj` and `up_proj`, `down_proj`, in `mlp`. */
  readonly feedForward?: Pick<blocks.FeedForwardOptions, "path" | "inputs" | "output">
  /** Whether a token sees no later ones. Default true. */
  readonly causal?: boolean
  /** Of the scores of attention: see {@link blocks.AttentionOptions}. */
  readonly attentionScale?: number
  readonly attentionSoftCap?: number | undefined
  /** Of embedded tokens: see {@link blocks.EmbeddingsOptions}. */
  readonly embeddingScale?: number
  readonly scalesRows?: boolean
  /** Of what parts add: see {@link blocks.LayerOptions}. */
  readonly outputScale?: number
  /** Of the scores of the vocabulary. */
  readonly logits?: blocks.VocabularyHeadOptions
}

const FEED_FORWARD = { path: "mlp", inputs: ["gate_proj", "up_proj"], output: "down_proj" } as const
const NORMS = { attention: ["input_layernorm"], feedForward: ["post_attention_layernorm"] } as const

function layerAt(path: string, config: Omit<DecoderConfig, "classes">, { rope, window }: DecoderLayer): blocks.Layer {
  const { hiddenSize, headDim, epsilon, normOffset: offset = 0, norms = NORMS, feedForward: own = FEED_FORWARD } =
    config
  const norm = (name: string, width = hiddenSize) => blocks.rmsNorm({ path: `${path}.${name}`, width, epsilon, offset })
  const attention = blocks.attention({
    ...config,
    path: `${path}.self_attn`,
    projections: ["q_proj", "k_proj", "v_proj"],
    output: "o_proj",
    ...(config.hasHeadNorms
      ? { headNorms: [norm("self_attn.q_norm", headDim), norm("self_attn.k_norm", headDim)] }
      : {}),
    causal: config.causal ?? true,
    rope,
    window,
    scale: config.attentionScale,
    softCap: config.attentionSoftCap,
  })
  const feedForward = blocks.feedForward({
    ...config,
    ...own,
    path: `${path}.${own.path}`,
    gated: true,
    bias: config.feedForwardBias,
    dropout: 0,
  })
  const part = (module: blocks.Layer, [before, after]: PartNorms): blocks.LayerPart => ({
    ...blocks.inTurn(module),
    norm: norm(before),
    outputNorm: after === undefined ? undefined : norm(after),
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: part(attention, norms.attention),
    feedForward: part(feedForward, norms.feedForward),
    outputScale: config.outputScale,
  })
}

/** All but the head of a {@link decoderOf}. */
export function decoderBody(config: Omit<DecoderConfig, "classes">): blocks.Backbone {
  const { hiddenSize, vocabSize, std } = config
  return blocks.backbone({
    path: "model",
    hiddenSize,
    embeddings: {
      words: blocks.embedding({ path: "model.embed_tokens", rows: vocabSize, width: hiddenSize, std }),
      scale: config.embeddingScale,
      scalesRows: config.scalesRows ?? false,
    },
    layers: config.layers.map((layer, i) => layerAt(`model.layers.${i}`, config, layer)),
    norm: blocks.rmsNorm({
      path: "model.norm",
      width: hiddenSize,
      epsilon: config.epsilon,
      offset: config.normOffset ?? 0,
    }),
  })
}

/** What the head of a decoder needs. */
export interface DecoderHeadConfig
  extends Pick<DecoderConfig, "hiddenSize" | "vocabSize" | "std" | "tokenDropout" | "logits"> {
  /** Hugging Face path of the output layer. */
  readonly path: string
}

/** The head of a decoder: its output layer, and the pass from the body's output on. */
export function decoderHead(
  { path, hiddenSize, vocabSize, std, tokenDropout, logits }: DecoderHeadConfig,
  head: Head,
): { readonly output: Module; readonly forward: blocks.HeadForward } {
  // transformers' token classifier has a bias and dropout before it; its sequence classifier has neither.
  const output = blocks.linear({
    path,
    inFeatures: hiddenSize,
    outFeatures: head.kind === "vocabulary" ? vocabSize : head.size,
    bias: head.kind === "token",
    std,
    outputHead: true,
  })
  const forward = {
    vocabulary: () => blocks.vocabularyHead(output, logits),
    token: () => blocks.tokenHead(output, tokenDropout),
    sequence: () => blocks.lastTokenHead(output),
  }[head.kind]()
  return { output, forward }
}

/** A decoder under Hugging Face's names: layers of attention and gated feed-forward with RMS norms. */
export function decoderOf(config: DecoderConfig, head: Head): Network {
  const { vocabSize, maxPositions } = config
  const isLanguageModel = head.kind === "vocabulary"
  const { output, forward } = decoderHead({ ...config, path: isLanguageModel ? "lm_head" : "score" }, head)
  return {
    ...blocks.networkOf(decoderBody(config), [output], forward),
    maxPositions,
    vocabSize,
    weights: [
      ...blocks.legacyParts("model", ["embed_tokens", "layers", "norm"]),
      ...blocks.unused("lm_head.*", "score.*", "qa_outputs.*", "classifier.*"),
      ...(isLanguageModel ? [] : blocks.starting("score.*")),
      ...(isLanguageModel && config.isTied ? blocks.tied("model.embed_tokens.weight", "lm_head.weight") : []),
    ],
    defaultTargets: ["q_proj", "v_proj"],
    architecture: config.classes[head.kind],
    notes: [],
  }
}
