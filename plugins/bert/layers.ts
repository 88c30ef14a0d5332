import * as blocks from "../../core/model/blocks/mod.ts"
import type { Module } from "../../core/model/module.ts"
import type { Config } from "./config.ts"

/** A Linear of the model's width. */
export const dense = (path: string, outFeatures: number, { hiddenSize, std }: Config, outputHead = false): Module =>
  blocks.linear({ path, inFeatures: hiddenSize, outFeatures, bias: true, std, outputHead })

/** A norm of the model's width. */
export const norm = (path: string, { hiddenSize, epsilon }: Config): Module =>
  blocks.layerNorm({ path, width: hiddenSize, epsilon })

/** A layer of BERT (Devlin et al. 2018); neither attention's output nor the feed-forward is within a module. */
export function bertLayer(path: string, config: Config): blocks.Layer {
  const { hiddenSize, hiddenDropout } = config
  const attention = blocks.attention({
    ...config,
    path: `${path}.attention.self`,
    projections: ["query", "key", "value"],
  })
  const output = dense(`${path}.attention.output.dense`, hiddenSize, config)
  const { children, forward } = blocks.feedForward({
    ...config,
    path,
    inputs: ["intermediate.dense"],
    output: "output.dense",
    dropout: 0,
  })
  return blocks.layer({
    path,
    hiddenSize,
    attention: { ...blocks.inTurn(attention, output), norm: norm(`${path}.attention.output.LayerNorm`, config) },
    feedForward: { modules: children, forward, norm: norm(`${path}.output.LayerNorm`, config) },
    postNorm: true,
    dropout: hiddenDropout,
  })
}

/** A layer of DistilBERT (Sanh et al. 2019). */
export function distilBertLayer(path: string, config: Config): blocks.Layer {
  const attention = blocks.attention({
    ...config,
    path: `${path}.attention`,
    projections: ["q_lin", "k_lin", "v_lin"],
    output: "out_lin",
  })
  const feedForward = blocks.feedForward({
    ...config,
    path: `${path}.ffn`,
    inputs: ["lin1"],
    output: "lin2",
    dropout: config.hiddenDropout,
  })
  return blocks.layer({
    path,
    hiddenSize: config.hiddenSize,
    attention: { ...blocks.inTurn(attention), norm: norm(`${path}.sa_layer_norm`, config) },
    feedForward: { ...blocks.inTurn(feedForward), norm: norm(`${path}.output_layer_norm`, config) },
    postNorm: true,
  })
}
