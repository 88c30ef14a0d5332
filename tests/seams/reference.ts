/**
 * A Llama with prefix keys, a bottleneck adapter and LoRA, scalar by scalar, one example at a time; and training steps
 * over its derivatives in plain arrays. Which methods are there shows in the names of the parameters.
 * @module
 */
import { makeTape, type Scalar } from "./tape.ts"

/** Values of parameters by key. */
export type Values = ReadonlyMap<string, Float64Array>

/** Sizes of a model, as in its config. */
export interface Sizes {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly num_key_value_heads: number
  readonly rms_norm_eps: number
}

/** A row: a negative label is masked. */
export interface Row {
  readonly tokens: ReadonlyArray<number>
  /** Next tokens. */
  readonly labels: ReadonlyArray<number>
}

/** Sum of an example's terms, their number, and derivatives of the sum by key. */
export interface ExampleGradient {
  readonly loss: number
  readonly terms: number
  readonly gradients: Values
}

/** Factor of LoRA's update: `loraAlpha / r`. */
export const LORA_SCALE = 2

/** Loss and derivatives of one example. */
export function exampleGradient(
  sizes: Sizes,
  parameters: Values,
  row: Row,
  trained: ReadonlyArray<string>,
): ExampleGradient {
  const tape = makeTape()
  const { add, mul, dot, scale, map, leaf, value } = tape
  const leaves = new Map([...parameters].map(([key, values]) => [key, Array.from(values, leaf)]))
  const get = (key: string) => leaves.get(key)!
  const width = sizes.hidden_size
  const heads = sizes.num_attention_heads
  const shared = sizes.num_key_value_heads
  const headDim = width / heads

  const exp = (x: Scalar) => map(x, Math.exp(value(x)), Math.exp(value(x)))
  const log = (x: Scalar) => map(x, Math.log(value(x)), 1 / value(x))
  const inverse = (x: Scalar) => map(x, 1 / value(x), -1 / value(x) ** 2)
  const relu = (x: Scalar) => map(x, Math.max(value(x), 0), value(x) > 0 ? 1 : 0)
  const silu = (x: Scalar) => {
    const s = 1 / (1 + Math.exp(-value(x)))
    return map(x, value(x) * s, s * (1 + value(x) * (1 - s)))
  }
  const product = (weight: ReadonlyArray<Scalar>, x: ReadonlyArray<Scalar>) =>
    Array.from({ length: weight.length / x.length }, (_, i) => dot(weight.slice(i * x.length, (i + 1) * x.length), x))
  const sum = (a: ReadonlyArray<Scalar>, b: ReadonlyArray<Scalar>) => a.map((x, i) => add(x, b[i]))
  const linear = (path: string, x: ReadonlyArray<Scalar>) => {
    const y = product(get(`${path}.weight`), x)
    const [a, b] = ["lora_A", "lora_B"].map((name) => leaves.get(`lora/default:${path}.${name}`))
    return a === undefined ? y : sum(y, product(b!, product(a, x)).map((z) => scale(z, LORA_SCALE)))
  }
  const norm = (path: string, x: ReadonlyArray<Scalar>) => {
    const weight = get(`${path}.weight`)
    const square = scale(dot(x, x), 1 / width)
    const root = Math.sqrt(value(square) + sizes.rms_norm_eps)
    const factor = map(square, 1 / root, -0.5 / root ** 3)
    return x.map((z, i) => mul(mul(z, factor), weight[i]))
  }
  const softmax = (scores: ReadonlyArray<Scalar>) => {
    const powers = scores.map(exp)
    const over = inverse(add(...powers))
    return powers.map((power) => mul(power, over))
  }
  /** Tables are f32 constants of a program. */
  const rotate = (x: ReadonlyArray<Scalar>, position: number) => {
    const half = headDim / 2
    const turn = (i: number, f: (x: number) => number) => Math.fround(f(position * 10000 ** (-2 * i / headDim)))
    return x.map((z, j) => {
      const i = j % half
      const other = j < half ? scale(x[j + half], -turn(i, Math.sin)) : scale(x[j - half], turn(i, Math.sin))
      return add(scale(z, turn(i, Math.cos)), other)
    })
  }
  const chunks = (x: ReadonlyArray<Scalar>, size: number) =>
    Array.from({ length: x.length / size }, (_, i) => x.slice(i * size, (i + 1) * size))

  const attention = (path: string, states: ReadonlyArray<ReadonlyArray<Scalar>>) => {
    const prefix = ["keys", "values"].map((name) => chunks(leaves.get(`prefix/default:${path}.${name}`) ?? [], headDim))
    const before = prefix[0].length / shared
    const split = (name: string, turned: boolean) =>
      states.map((x, t) =>
        chunks(linear(`${path}.${name}`, x), headDim).map((head) => turned ? rotate(head, t + before) : head)
      )
    const [q, k, v] = [split("q_proj", true), split("k_proj", true), split("v_proj", false)]
    return states.map((_, t) => {
      const mixed = q[t].flatMap((query, head) => {
        const group = Math.floor(head / (heads / shared))
        const seen = (rows: ReadonlyArray<ReadonlyArray<Scalar>>, own: typeof k) => [
          ...rows.slice(group * before, (group + 1) * before),
          ...own.slice(0, t + 1).map((at) => at[group]),
        ]
        const weights = softmax(seen(prefix[0], k).map((key) => scale(dot(query, key), 1 / Math.sqrt(headDim))))
        const rows = seen(prefix[1], v)
        return Array.from({ length: headDim }, (_, i) => dot(weights, rows.map((row) => row[i])))
      })
      return linear(`${path}.o_proj`, mixed)
    })
  }

  let states = row.tokens.map((token) => get("model.embed_tokens.weight").slice(token * width, (token + 1) * width))
  for (let layer = 0; layer < sizes.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`
    const attended = attention(`${path}.self_attn`, states.map((x) => norm(`${path}.input_layernorm`, x)))
    states = states.map((x, t) => sum(x, attended[t])).map((h) => {
      const x = norm(`${path}.post_attention_layernorm`, h)
      const gated = linear(`${path}.mlp.gate_proj`, x).map(silu)
      const up = linear(`${path}.mlp.up_proj`, x)
      return sum(h, linear(`${path}.mlp.down_proj`, gated.map((z, i) => mul(z, up[i]))))
    })
    const [down, downBias, up, upBias] = ["down", "downBias", "up", "upBias"].map((name) =>
      leaves.get(`bottleneck/default:${path}.${name}`)!
    )
    if (down !== undefined) {
      states = states.map((h) => sum(h, sum(product(up, sum(product(down, h), downBias).map(relu)), upBias)))
    }
  }
  const head = leaves.has("lm_head.weight") ? "lm_head" : "model.embed_tokens"
  const terms = states.flatMap((x, t) => {
    if (row.labels[t] < 0) return []
    const logits = linear(head, norm("model.norm", x))
    return [add(log(add(...logits.map(exp))), scale(logits[row.labels[t]], -1))]
  })
  const loss = add(...terms)
  const found = tape.derivatives(loss)
  const gradients = new Map(trained.map((key) => [key, Float64Array.from(get(key), (x) => found[x])]))
  return { loss: value(loss), terms: terms.length, gradients }
}

/** A training run's rules. */
export interface Rules {
  readonly clip?: { readonly maxGradNorm: number; readonly expectedBatchSize?: number }
  readonly pcgrad?: boolean
  readonly optimizer: "sgd" | "adamw"
  readonly learningRate: number
  readonly weightDecay: number
  /** Of the whole gradient; 0 for none. */
  readonly maxGradNorm: number
}

/** What a reference run did; the last two say that its rules came to bear. */
export interface ReferenceStep {
  readonly loss: number
  readonly gradientNorm: number
  readonly clipped: number
  readonly conflicts: number
}

const dot = (a: Values, b: Values): number =>
  [...a].reduce((sum, [key, x]) => sum + x.reduce((own, z, i) => own + z * b.get(key)![i], 0), 0)
const combine = (a: Values, b: Values, factor: number): Values =>
  new Map([...a].map(([key, x]) => [key, x.map((z, i) => z + factor * b.get(key)![i])]))
const times = (a: Values, factor: number): Values => new Map([...a].map(([key, x]) => [key, x.map((z) => z * factor)]))

/**
 * Runs steps, each given as rows by task, and changes `parameters` in place.
 *
 * @param shapes Of the trained parameters: vectors get no weight decay.
 */
export function referenceRun(
  sizes: Sizes,
  parameters: Map<string, Float64Array>,
  shapes: ReadonlyMap<string, ReadonlyArray<number>>,
  steps: ReadonlyArray<Readonly<Record<string, ReadonlyArray<Row>>>>,
  rules: Rules,
): ReadonlyArray<ReferenceStep> {
  const trained = [...shapes.keys()]
  const zeros = (): Map<string, Float64Array> =>
    new Map(trained.map((key) => [key, new Float64Array(parameters.get(key)!.length)]))
  const [mean, square] = [zeros(), zeros()]
  const { clip, learningRate, weightDecay } = rules
  const rate = Math.fround(learningRate)
  return steps.map((tasks, index): ReferenceStep => {
    let clipped = 0
    let conflicts = 0
    const present = Object.keys(tasks).sort().filter((task) => tasks[task].length > 0)
    const found = present.map((task) => {
      let [gradient, loss, weight]: [Values, number, number] = [zeros(), 0, 0]
      for (const row of tasks[task]) {
        const own = exampleGradient(sizes, parameters, row, trained)
        const part = clip === undefined ? 1 : 1 / own.terms
        let factor = part
        if (clip !== undefined) {
          const norm = part * Math.sqrt(dot(own.gradients, own.gradients))
          if (norm > clip.maxGradNorm) {
            factor *= clip.maxGradNorm / norm
            clipped++
          }
        }
        gradient = combine(gradient, own.gradients, factor)
        loss += own.loss * part
        weight += own.terms * part
      }
      return { gradient: times(gradient, 1 / (clip?.expectedBatchSize ?? weight)), loss: loss / weight }
    })
    const changed = found.map(({ gradient }, i) => {
      let own = gradient
      if (rules.pcgrad) {
        found.forEach((other, j) => {
          const along = dot(own, other.gradient)
          if (i === j || along >= 0) return
          conflicts++
          own = combine(own, other.gradient, -along / dot(other.gradient, other.gradient))
        })
      }
      return own
    })
    let total = changed.reduce((sum, own) => combine(sum, own, 1 / changed.length), zeros() as Values)
    const gradientNorm = Math.sqrt(dot(total, total))
    if (rules.maxGradNorm > 0) total = times(total, Math.min(1, rules.maxGradNorm / (gradientNorm + 1e-6)))
    for (const key of trained) {
      const [p, g, m, v] = [parameters, total, mean, square].map((values) => values.get(key)!)
      const decay = shapes.get(key)!.length > 1 ? weightDecay : 0
      const [meanScale, squareScale] = [1 / (1 - 0.9 ** (index + 1)), 1 / Math.sqrt(1 - 0.999 ** (index + 1))].map(
        Math.fround,
      )
      p.forEach((x, i) => {
        if (rules.optimizer === "sgd") {
          p[i] = x - rate * (g[i] + decay * x)
          return
        }
        m[i] = 0.9 * m[i] + 0.1 * g[i]
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2
        p[i] = x * (1 - rate * decay) - rate * meanScale * m[i] / (Math.sqrt(v[i]) * squareScale + 1e-8)
      })
    }
    const loss = found.length === 0 ? 0 : found.reduce((sum, own) => sum + own.loss, 0) / found.length
    return { loss, gradientNorm, clipped, conflicts }
  })
}
