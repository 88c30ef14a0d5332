import type { KeyValues } from "../../contracts/site.ts"
import * as ops from "../../tensor/ops.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { Decoding, Kept, Module, Scope } from "../module.ts"
import { perVisibleKey, visibleKeys } from "../sites/batch_layout.ts"
import { linear, linears, outputsOf } from "./linear.ts"
import { relativeBias, type RelativePositions } from "./positions/relative_positions.ts"
import type { Memory, Rope, Sequence } from "./sequence.ts"

/** What an {@link attention} needs. */
export interface AttentionOptions {
  /** Hugging Face path. */
  readonly path: string
  /** Width between layers. */
  readonly hiddenSize: number
  /** Number of query heads. */
  readonly heads: number
  /** Number of key and value heads, a divisor of `heads`. Default `heads`. */
  readonly keyValueHeads?: number
  /** Width of a head. Default `hiddenSize / heads`. */
  readonly headDim?: number
  /** Names within the path of the Linear modules of queries, keys and values; or of one, which gives them side by side. */
  readonly projections: readonly [query: string, key: string, value: string] | readonly [all: string]
  /** Whether they have biases. Default false. */
  readonly bias?: boolean
  /** Name of the Linear of the joined heads. Default: they are the output, [B, T, heads * headDim]. */
  readonly output?: string
  /** Whether it has a bias. Default: as the projections. */
  readonly outputBias?: boolean
  /** Standard deviation of new weights. */
  readonly std: number
  /** Of those of queries. Default `std`. */
  readonly queryStd?: number
  /** Of those of `output`. Default `std`. */
  readonly outputStd?: number
  /** Norms of the heads of queries and of keys, before rotary positions: of `headDim`. Default: none. */
  readonly headNorms?: readonly [query: Module, key: Module]
  /** Rotary positions. Default: none. */
  readonly rope?: Rope | undefined
  /** Factor of the scores. Default `1 / sqrt(headDim)`. */
  readonly scale?: number | undefined
  /** What scores s are bounded by: cap tanh(s / cap). It makes a matrix of scores. Default: none. */
  readonly softCap?: number | undefined
  /** Whether a token sees no later ones. */
  readonly causal: boolean
  /** Distance from which on tokens are hidden; keys that methods put before them never are. Default: none. */
  readonly window?: number | undefined
  /** Dropout of the weights in training. Default 0. */
  readonly dropout?: number
  /** Bias on the scores by relative positions; its table is part of the module whose path it has. Default: none. */
  readonly relative?: RelativePositions | undefined
  /** Whether keys and values come from the sequence's memory. Default false: from the input. */
  readonly cross?: boolean
}

/** Scaled dot-product attention (Vaswani et al. 2017) with grouped heads: x [B, T, hiddenSize] to the same. */
export function attention(options: AttentionOptions): Module<[Sequence]> {
  const { path, hiddenSize, heads, std, bias = false, headNorms = [], rope, scale, softCap, relative } = options
  const { keyValueHeads = heads, headDim = hiddenSize / heads, dropout = 0, cross = false } = options
  const counts = [heads, keyValueHeads, keyValueHeads]
  const widths = counts.map((count) => count * headDim)
  const stds = [options.queryStd ?? std, std, std]
  const projections = linears(options.projections, widths, { path, inFeatures: hiddenSize, bias, std: stds })
  const output = options.output === undefined ? undefined : linear({
    path: `${path}.${options.output}`,
    inFeatures: heads * headDim,
    outFeatures: hiddenSize,
    bias: options.outputBias ?? bias,
    std: options.outputStd ?? std,
  })
  // Gradients by the input are summed in the order of these calls: it is part of a run's bits.
  const order = rope === undefined ? [1, 2, 0] : [0, 1, 2]
  /** Queries, keys and values; queries alone where there is no source. */
  const project = (scope: Scope, x: Tensor, source: Tensor | undefined): ReadonlyArray<Tensor> => {
    if (projections.length === 1) return outputsOf(scope, projections, x, widths)
    if (source === undefined) return [scope.call(projections[0], x)]
    const made = order.map((i) => scope.call(projections[i], i === 0 ? x : source))
    return projections.map((_, i) => made[order.indexOf(i)])
  }
  const inHeads = (scope: Scope, y: Tensor, i: number): Tensor => {
    const split = ops.reshape(y, [...y.shape.slice(0, 2), counts[i], headDim])
    return ops.permute(i < headNorms.length ? scope.call(headNorms[i], split) : split, [0, 2, 1, 3])
  }
  /** Keys and values with those of a cache, which keeps a memory's as they are. */
  const kept = (decoding: Decoding | undefined, own: KeyValues | undefined) =>
    cross ? decoding?.recall(self, own) : decoding?.extend(self, own!)
  const self: Module<[Sequence]> = {
    path,
    kind: cross ? "CrossAttention" : "Attention",
    sizes: { hiddenSize, heads, keyValueHeads, headDim },
    parameters: {},
    children: [
      ...projections,
      ...(output === undefined ? [] : [output]),
      ...headNorms,
      ...(relative?.table.path.startsWith(`${path}.`) ? [relative.table] : []),
    ],
    outputHead: false,
    forward: (scope, x, sequence) => {
      const [batch, length] = x.shape
      const { decoding } = sequence
      const memory = cross ? memoryOf(sequence, path) : undefined
      const source = memory === undefined ? x : memory.hidden
      const prefix = scope.keyValues(self)
      const start = prefix?.keys.shape[2] ?? 0
      const [query, key, values] = project(scope, x, source).map((y, i) => inHeads(scope, y, i))
      // Prefix keys are not rotated, and the sequence's positions follow them (past_key_values in transformers).
      const tables = rope && sequence.rotary(rope, start, length)
      const turned = (y: Tensor) => tables === undefined ? y : ops.rotary(y, tables.cos, tables.sin)
      const own: KeyValues | undefined = source && { keys: turned(key), values }
      const all: Kept = kept(decoding, own) ?? own!
      const k = after(prefix?.keys, all, "keys")
      const visible = memory === undefined
        ? visibleKeys(sequence.batch, { ...options, prefix: start, decoding })
        : { prefix: start, keyLengths: memory.lengths }
      const drop = (keys: number) => scope.dropout(self, "weights", ops.full(1, [batch, heads, length, keys]), dropout)
      const factor = scope.training && dropout > 0 ? perVisibleKey(sequence.batch, k.shape[2], drop) : undefined
      const places = { length, keys: k.shape[2], prefix: start, decoding }
      const bias = relative &&
        sequence.shared(relative, `${start} ${length} ${k.shape[2]}`, () => relativeBias(scope, relative, places))
      const scores = { scale, softCap, bias, factor }
      const v = after(prefix?.values, all, "values")
      const mixed = prefix === undefined && all.rows !== undefined
        ? ops.attention(turned(query), inPages(k), inPages(v), { ...visible, pages: all.rows }, scores)
        : ops.attention(turned(query), k, v, visible, scores)
      const joined = ops.reshape(ops.permute(mixed, [0, 2, 1, 3]), [batch, length, heads * headDim])
      return output === undefined ? joined : scope.call(output, joined)
    },
  }
  return self
}

/** Rows of a prefix, [1 or B, heads, P, width], before those of the sequence. */
function after(prefix: Tensor | undefined, kept: Kept, name: keyof KeyValues): Tensor {
  const { rows } = kept
  if (prefix === undefined) return kept[name]
  const [count, ...shape] = kept[name].shape
  const own = rows === undefined
    ? kept[name]
    : ops.reshape(ops.gather(ops.reshape(kept[name], [count, -1]), rows), [-1, ...shape])
  return ops.concat([prefix.shape[0] === 1 ? ops.forBatch(prefix, own) : prefix, own], 2)
}

/** Rows as the pages that attention takes: each is one. */
const inPages = (rows: Tensor): Tensor => ops.permute(rows, [0, 2, 1, 3])

function memoryOf({ memory }: Sequence, path: string): Memory {
  if (memory !== undefined) return memory
  throw new ShapeError({ message: `"${path}" attends to a memory: the backbone's third argument is required` })
}
