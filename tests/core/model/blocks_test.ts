import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { evaluate } from "../../../core/graph/evaluate.ts"
import { generate, initialize } from "../../../core/inference/mod.ts"
import * as blocks from "../../../core/model/blocks/mod.ts"
import { sequenceOf } from "../../../core/model/blocks/sequence.ts"
import { family } from "../../../core/model/load/families.ts"
import type { Module } from "../../../core/model/module.ts"
import { makeScope } from "../../../core/model/sites/scope.ts"
import { ShapeError } from "../../../core/tensor/shape_error.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"

const numbers = (count: number, seed: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i * 1.7 + seed * 5.3))
const valueOf = (tensor: Tensor, inputs: Readonly<Record<string, ReadonlyArray<number>>> = {}) =>
  Array.from(evaluate(tensor, { inputs, slots: new Map() }))

/** A scope over weights by key. */
const scopeOf = (weights: Readonly<Record<string, Tensor>>) =>
  makeScope({
    sitesAt: () => [],
    tensor: (key) => weights[key],
    training: false,
    key: undefined,
    decoding: undefined,
  })

const batchOf = (rows: number, length: number) => ({
  tokens: ops.full(0, [rows, length], "i32"),
  lengths: ops.full(length, [rows], "i32"),
  fields: {},
  exampleWeight: ops.full(1, [rows]),
  task: "",
})

Deno.test("attention to a memory: its keys and values, as far as its lengths, for grouped heads", () => {
  const [rows, length, places, width, headDim, lengths] = [2, 3, 4, 4, 2, [4, 2]]
  const attend = blocks.attention({
    path: "cross",
    hiddenSize: width,
    heads: 2,
    keyValueHeads: 1,
    projections: ["q", "k", "v"],
    std: 1,
    causal: false,
    cross: true,
  })
  const weight = { q: numbers(16, 1), k: numbers(8, 2), v: numbers(8, 3) }
  const [x, hidden] = [numbers(rows * length * width, 4), numbers(rows * places * width, 5)]
  const scope = scopeOf({
    "cross.q.weight": ops.constant(weight.q, [4, 4]),
    "cross.k.weight": ops.constant(weight.k, [2, 4]),
    "cross.v.weight": ops.constant(weight.v, [2, 4]),
  })
  const memory = {
    hidden: ops.constant(hidden, [rows, places, width]),
    lengths: ops.input("lengths", [rows], { dtype: "i32" }),
  }
  const sequence = sequenceOf(batchOf(rows, length), undefined, memory)
  const found = valueOf(scope.call(attend, ops.constant(x, [rows, length, width]), sequence), { lengths })

  const project = (from: Float32Array, at: number, of: Float32Array, out: number) =>
    Array.from({ length: width }, (_, i) => from[at * width + i] * of[out * width + i]).reduce((a, b) => a + b)
  const expected: number[] = []
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < length; t++) {
      for (let head = 0; head < 2; head++) {
        const places_ = Array.from({ length: lengths[row] }, (_, s) => row * places + s)
        const each = Array.from({ length: headDim }, (_, d) => d)
        const weights = places_.map((s) =>
          Math.exp(
            each.map((d) =>
              project(x, row * length + t, weight.q, head * headDim + d) * project(hidden, s, weight.k, d)
            )
              .reduce((a, b) => a + b) / Math.sqrt(headDim),
          )
        )
        const total = weights.reduce((a, b) => a + b)
        for (const d of each) {
          expected.push(places_.reduce((sum, s, i) => sum + weights[i] / total * project(hidden, s, weight.v, d), 0))
        }
      }
    }
  }
  assert(distance(found, expected) < 1e-6)
  const alone = () => scope.call(attend, ops.constant(x, [rows, length, width]), sequenceOf(batchOf(2, 3), undefined))
  assertThrows(alone, ShapeError, '"cross" attends to a memory')
})

Deno.test("norms: without a bias, and with an offset of the weight", () => {
  const [x, weight] = [numbers(4, 1), numbers(4, 2)]
  const scope = scopeOf({ "n.weight": ops.constant(weight, [4]) })
  const of = (norm: Module) => valueOf(scope.call(norm, ops.constant(x, [1, 4])))
  const mean = x.reduce((a, b) => a + b) / 4
  const spread = Math.sqrt(x.reduce((a, b) => a + (b - mean) ** 2, 0) / 4 + 1e-3)
  const layerNorm = blocks.layerNorm({ path: "n", width: 4, epsilon: 1e-3, bias: false })
  assertEquals(Object.keys(layerNorm.parameters), ["weight"])
  assert(distance(of(layerNorm), x.map((value, i) => (value - mean) / spread * weight[i])) < 1e-6)
  const size = Math.sqrt(x.reduce((a, b) => a + b * b, 0) / 4 + 1e-3)
  const rmsNorm = blocks.rmsNorm({ path: "n", width: 4, epsilon: 1e-3, offset: 1 })
  assertEquals(rmsNorm.parameters.weight.initializer, { kind: "zeros" })
  assert(distance(of(rmsNorm), x.map((value, i) => value / size * (1 + weight[i]))) < 1e-6)
})

/** A decoder with learned positions, side by side projections and a window in its second layer. */
const learned = family({
  modelTypes: ["learned"],
  attention: "causal",
  build: () => {
    const shared = { hiddenSize: 8, heads: 2, intermediateSize: 12, std: 0.5, bias: true, causal: true, gated: false }
    const table = (path: string, rows: number) => blocks.embedding({ path, rows, width: 8, std: 0.5 })
    const norm = (path: string) => blocks.layerNorm({ path, width: 8, epsilon: 1e-5 })
    const layer = (i: number) => {
      const path = `h.${i}`
      const attention = blocks.attention({
        ...shared,
        path: `${path}.attn`,
        projections: ["c_attn"],
        output: "c_proj",
        window: i === 0 ? undefined : 3,
      })
      const feedForward = blocks.feedForward({
        ...shared,
        path: `${path}.mlp`,
        inputs: ["c_fc"],
        output: "c_proj",
        activation: ops.geluTanh,
      })
      return blocks.layer({
        path,
        hiddenSize: 8,
        attention: { ...blocks.inTurn(attention), norm: norm(`${path}.ln_1`) },
        feedForward: { ...blocks.inTurn(feedForward), norm: norm(`${path}.ln_2`) },
      })
    }
    const body = blocks.backbone({
      path: "transformer",
      hiddenSize: 8,
      embeddings: {
        words: table("transformer.wte", 16),
        added: [blocks.learnedPositions(table("transformer.wpe", 24))],
      },
      layers: [layer(0), layer(1)],
      norm: norm("transformer.ln_f"),
    })
    const output = blocks.linear({ path: "lm_head", inFeatures: 8, outFeatures: 16, std: 0.5, outputHead: true })
    return {
      ...blocks.networkOf(body, [output], blocks.vocabularyHead(output)),
      maxPositions: 24,
      vocabSize: 16,
      weights: [],
      defaultTargets: ["c_attn"],
      architecture: "Learned",
      notes: [],
    }
  },
})

Deno.test("a decoder with learned positions and a window generates the same with its cache and without", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize({ model_type: "learned" }, { task: Task.causalLM(), seed: 4 })
      const made = [...yield* generate(model, Int32Array.of(3, 9, 1), { maxNewTokens: 12 })]
      const tokens = [3, 9, 1]
      for (let i = 0; i < 12; i++) {
        const batch = {
          ...batchOf(1, tokens.length),
          tokens: ops.input("tokens", [1, tokens.length], { dtype: "i32" }),
        }
        const { logits } = model.forward(batch, { training: false })
        const last = ops.narrow(logits, 1, tokens.length - 1, tokens.length)
        const values = Array.from(evaluate(last, { inputs: { tokens }, slots: backend.slots }))
        tokens.push(values.indexOf(Math.max(...values)))
      }
      assertEquals(made, tokens.slice(3))
      assert(new Set(made).size > 2)
    }),
    learned,
    backend,
  )
})
