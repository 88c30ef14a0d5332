/**
 * What a task is. Everything that the loop, the evaluation and the report need to know of one is in its value, so a
 * package adds a task without a change here.
 * @module
 */
import type { Head } from "../contracts/head.ts"
import type { BatchTensors, Objective, ObjectiveContext } from "../contracts/objective.ts"
import type { Metrics } from "../contracts/train_event.ts"
import type { DataRow, Encoding, RowKind } from "../data/data.ts"
import type { Example } from "../data/encode.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { ClassificationMetrics } from "./measures/classification_metrics.ts"

/** What the model is for: which rows it learns from, how they become batches, the head, the loss and the metrics. */
export interface TaskOf<Row extends DataRow = DataRow> extends Encoding<Row> {
  /** Name in messages, run folders and run files. */
  readonly kind: string
  /** The output layer that it needs. */
  readonly head: Head
  /** Names of classes (label id = index) or scores, which data and model must share. Default: none. */
  readonly labels?: ReadonlyArray<string>
  /** Why no model can be made for it. Default: one can. */
  readonly problem?: string | undefined
  /** transformers' `problem_type` of the head. Default: none. */
  readonly problemType?: string
  /** Kinds of rows that it learns from. */
  readonly rows: ReadonlyArray<RowKind>
  /** What values a row must have and has not, for rows that no reader made. Default: nothing is checked. */
  fault?(row: Row, labels: ReadonlyArray<string>, unlabeled: boolean): string | undefined
  /** A row without an answer, for `predict`. Default: the task answers no texts. */
  unlabeled?(text: string, row: number): Row
  /** Whether the model learns to write a token of an example, for previews. Default: it writes none. */
  written?(example: Example, index: number): boolean
  /** Changes a batch before the model sees it, anew in each step. Default: it stays as it is. */
  prepare?(batch: BatchTensors, key: readonly [Tensor, Tensor], vocabulary: Vocabulary): BatchTensors
  /** The loss, before plugins wrap it. */
  readonly objective: Objective
  /** What {@link Task.judge} needs of each example: tensors [B, ...] of padded rows. */
  measure(context: Pick<ObjectiveContext, "batch" | "outputs">): Readonly<Record<string, Tensor>>
  /** Names of its metrics, `loss` among them, and which of two values is better. */
  readonly metrics: Readonly<Record<string, "higher" | "lower">>
  /** Metrics and predictions from what was measured. `loss` is the mean loss. */
  judge(measured: ReadonlyArray<Measured<Row>>, loss: number, labels: ReadonlyArray<string>): Judgement
}

/** Token ids of tokenizer and model. */
export interface Vocabulary {
  /** Number of the model's token ids. */
  readonly vocabSize: number
  /** Id of the tokenizer's mask token. Default: it has none. */
  readonly maskId?: number | undefined
}

/** An example that went through the model. */
export interface Measured<Row extends DataRow = DataRow> {
  /** Its row. */
  readonly row: Row
  /** The example. */
  readonly example: Example
  /** Its part of each tensor of {@link Task.measure}, and its `loss` and `weight`. */
  readonly values: Readonly<Record<string, Float32Array | Int32Array>>
}

/** What a model says of a text or a word. */
export interface Prediction {
  /** What was read; of a word, its whole row. */
  readonly text: string
  /** The word, where words are judged. */
  readonly word?: string
  /** The answer in words: names of classes, or scores. */
  readonly label: string
  /** Probability of the answer, 0 to 1; absent where there is none. */
  readonly probability?: number
  /** Probabilities of all classes, in the order of the task's labels; absent where there are none. */
  readonly probabilities?: ReadonlyArray<number>
  /** Scores, in the order of the task's labels; absent where there are none. */
  readonly scores?: ReadonlyArray<number>
}

/** A prediction beside the answer that was expected. */
export interface JudgedPrediction extends Prediction {
  /** What the data says. */
  readonly expected: string
  /** How far a score is from the expected one. Default: the answer is either right or wrong. */
  readonly distance?: number
}

/** What a task makes of measured examples. */
export interface Judgement {
  /** Metrics beside `loss`; absent where rows have no answer. */
  readonly metrics?: Metrics
  /** Scores of each class, where examples have one class. */
  readonly classification?: ClassificationMetrics
  /** One a row, or one a word, in the order of the rows. Default: none. */
  readonly predictions?: ReadonlyArray<JudgedPrediction>
}
