/**
 * Runs a method on rows of different lengths, padded to one, beside the formula row by row.
 * @module
 */
import { assert } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { gradients } from "../../core/graph/rewrite/gradients.ts"
import { initialize } from "../../core/model/mod.ts"
import { Task } from "../../core/tasks/builtin.ts"
import * as ops from "../../core/tensor/ops.ts"
import { evaluateAll } from "../support/evaluate.ts"
import { memoryBackend } from "../support/memory_backend.ts"
import { type Base, distance, run } from "../support/model_layer.ts"
import { crossEntropy, type Vector, type Weights } from "./formulas.ts"

const rows = [[3, 8, 1, 5, 9], [4, 7], [2, 6, 11, 1]]
const classes = [2, 0, 1]
const LENGTH = 6

/**
 * Logits of all rows, and the derivative of the mean loss by some of each trained parameter's numbers, must be those of a
 * formula in float64 (derivatives by central differences); and what each example gives must add up to them. Gives the
 * keys of what trains.
 */
export function equalsFormula<P>(
  config: Readonly<Record<string, unknown>>,
  method: Layer.Layer<P, PluginError, Base>,
  formula: (weights: Weights, tokens: Vector) => Vector,
): Promise<ReadonlyArray<string>> {
  const backend = memoryBackend()
  const task = Task.classification(["a", "b", "c"])
  return run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task, seed: 3 })
      // Norms of one and biases of zero would hide mistakes.
      for (const { slot, shape } of model.parameters) {
        const values = backend.slots.get(slot.id)!
        if (shape.length === 1) {
          values.forEach((value, i) => values[i] = Math.fround(value + Math.sin(3 * i + slot.id) / 9))
        }
      }
      const tokens = Int32Array.from(rows.flatMap((row) => [...row, ...new Array(LENGTH - row.length).fill(0)]))
      const input = (name: string, shape: ReadonlyArray<number>, dtype: "i32" | "f32" = "i32") =>
        ops.input(name, shape, { dtype, batch: true })
      const batch = {
        tokens: input("tokens", [rows.length, LENGTH]),
        lengths: input("lengths", [rows.length]),
        fields: { labels: input("labels", [rows.length]) },
        exampleWeight: input("exampleWeight", [rows.length], "f32"),
        task: "default",
      }
      const inputs = { tokens, lengths: rows.map((row) => row.length), labels: classes }
      const outputs = model.forward(batch, { training: true })
      const none = () => {
        throw new Error("there is none")
      }
      const { loss } = task.objective({ batch, outputs, base: none, parameter: none, trained: [] })
      const trained = model.parameters.filter(({ trainable }) => trainable)
      const mean = ops.div(ops.batchSum(loss), rows.length)
      const tensors = trained.map(({ tensor }) => tensor)
      const found = [...gradients(mean, tensors), ...gradients(mean, tensors, { perExample: true })]
      const [logits, ...both] = evaluateAll([outputs.logits, ...found], { inputs, slots: backend.slots })
      const [derivatives, each] = [both.slice(0, trained.length), both.slice(trained.length)]
      for (const [index, whole] of derivatives.entries()) {
        const sums = Array.from(
          whole,
          (_, i) => rows.reduce((sum, _, row) => sum + each[index][row * whole.length + i], 0),
        )
        assert(distance(sums, whole) < 1e-12, `${trained[index].key}: what examples give adds up to something else`)
      }

      const weights = new Map(model.parameters.map(({ key, slot }) => [key, backend.slots.get(slot.id)!]))
      const expected = rows.flatMap((row) => formula(weights, row))
      assert(distance(logits, expected) < 1e-6, `logits are off by ${distance(logits, expected)}`)
      const lossOf = () =>
        rows.reduce((sum, row, i) => sum + crossEntropy(formula(weights, row), classes[i]), 0) / rows.length
      for (const [index, { key, slot }] of trained.entries()) {
        const values = backend.slots.get(slot.id)!
        const size = Math.hypot(...derivatives[index])
        assert(size > 1e-7, `${key} has no gradient`)
        for (let at = 0; at < values.length; at += Math.ceil(values.length / 3)) {
          const value = values[at]
          const [up, down] = [1e-5, -1e-5].map((step) => {
            values[at] = value + step
            return lossOf()
          })
          values[at] = value
          const error = Math.abs((up - down) / 2e-5 - derivatives[index][at])
          assert(error < 1e-6 * Math.max(1, size), `derivative by ${key}[${at}] is off by ${error}`)
        }
      }
      return trained.map(({ key }) => key)
    }),
    method,
    backend,
  )
}

/** Sizes of small models. */
export const smallSizes = {
  vocab_size: 13,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
  initializer_range: 0.3,
}
/** A Llama with grouped heads. */
export const llamaConfig = { ...smallSizes, model_type: "llama", num_key_value_heads: 2, rms_norm_eps: 1e-5 }
/** A DistilBERT. */
export const distilBertConfig = {
  model_type: "distilbert",
  vocab_size: 13,
  dim: 16,
  hidden_dim: 20,
  n_layers: 2,
  n_heads: 4,
  max_position_embeddings: 32,
  initializer_range: 0.3,
  activation: "relu",
  dropout: 0,
  attention_dropout: 0,
  seq_classif_dropout: 0,
}
