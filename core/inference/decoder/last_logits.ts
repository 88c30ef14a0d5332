/**
 * The graph of a model that writes: the logits that follow each row's last token.
 * @module
 */
import type { Model } from "../../model/model.ts"
import type { Decoding } from "../../model/module.ts"
import { lastOf } from "../../model/sites/batch_layout.ts"
import type { RowChoice } from "../../model/sites/choose_by_row.ts"
import * as ops from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** Which part of the model's methods rows go through. */
export interface Variant {
  /** False takes the base model. */
  readonly methods: boolean
  /** Set where rows choose a plugin. */
  readonly choice?: Pick<RowChoice, "plugins">
}

/**
 * Logits [rows, vocabulary] after each row's last token. Inputs: `tokens` i32 [rows, length], `lengths` i32 [rows], and where
 * rows choose them `choice` and `adapters` i32 [rows].
 */
export function lastLogits(
  model: Model,
  { methods, choice }: Variant,
  rows: number,
  length: number,
  decoding: Decoding,
): Tensor {
  const batch = {
    tokens: ops.input("tokens", [rows, length], { dtype: "i32" }),
    lengths: ops.input("lengths", [rows], { dtype: "i32" }),
    fields: {},
    exampleWeight: ops.full(1, [rows]),
    task: "",
  }
  const chosen = choice && { ...choice, index: ops.input("choice", [rows], { dtype: "i32" }) }
  const options = {
    training: false,
    methods,
    decoding,
    ...(chosen === undefined ? {} : { choice: chosen }),
    ...(model.bank === undefined ? {} : { adapters: ops.input("adapters", [rows], { dtype: "i32" }) }),
  }
  return ops.reshape(lastOf(model.forward(batch, options).logits, batch), [rows, -1])
}
