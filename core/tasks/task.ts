/**
 * The type of a task. Its value has everything that training, evaluation and reports need, so a package can add one.
 * @module
 */
import type { Head } from "../contracts/head.ts"
import type { BatchTensors, Objective, ObjectiveContext } from "../contracts/objective.ts"
import type { Metrics } from "../contracts/train_event.ts"
import type { DataRow, Encoding, RowKind } from "../data/data.ts"
import type { Example } from "../data/encode.ts"
import type { Tensor } from "../tensor/tensor.ts"
import type { ClassificationMetrics } from "./measures/classification_metrics.ts"

/** What a model learns: kinds of rows, their encoding, head, loss and metrics. */
export interface TaskOf<Row extends DataRow = DataRow> extends Encoding<Row> {
  /** Name in messages, run folders and run files. */
  readonly kind: string
  /** The output layer. */
  readonly head: Head
  /** Names of classes (label id = index) or scores, the same in data and model. Default: none. */
  readonly labels?: ReadonlyArray<string>
  /** Why no model can have this task. Default: it can. */
  readonly problem?: string | undefined
  /** transformers' `problem_type` of the head. Default: none. */
  readonly problemType?: string
  /** Kinds of rows that it learns from. */
  readonly rows: ReadonlyArray<RowKind>
  /** Describes a wrong value of a row that no reader made. Default: nothing is checked. */
  fault?(row: Row, labels: ReadonlyArray<string>, unlabeled: boolean): string | undefined
  /** A row without an answer, for `predict`. Default: the task has no `predict`. */
  unlabeled?(text: string, row: number): Row
  /** Whether a token of an example is trained on, for previews. Default: none is. */
  written?(example: Example, index: number): boolean
  /** Changes a batch in each step before the model runs, e.g. masks tokens. Default: no change. */
  prepare?(batch: BatchTensors, key: readonly [Tensor, Tensor], vocabulary: Vocabulary): BatchTensors
  /** The loss, before plugins wrap it. */
  readonly objective: Objective
  /** Tensors [B, ...] of padded rows for {@link Task.judge}. */
  measure(context: Pick<ObjectiveContext, "batch" | "outputs">): Readonly<Record<string, Tensor>>
  /** Metrics, `loss` included: whether higher or lower values are better. */
  readonly metrics: Readonly<Record<string, "higher" | "lower">>
  /** Metrics and predictions of measured examples. `loss` is the mean loss. */
  judge(measured: ReadonlyArray<Measured<Row>>, loss: number, labels: ReadonlyArray<string>): Judgement
}

/** Token ids of tokenizer and model. */
export interface Vocabulary {
  /** Number of the model's token ids. */
  readonly vocabSize: number
  /** Id of the tokenizer's mask token. Default: it has none. */
  readonly maskId?: number | undefined
}

/** An example with the outputs of the model. */
export interface Measured<Row extends DataRow = DataRow> {
  /** Its row. */
  readonly row: Row
  /** The example. */
  readonly example: Example
  /** Its slice of each tensor of {@link Task.measure}, and its `loss` and `weight`. */
  readonly values: Readonly<Record<string, Float32Array | Int32Array>>
}

/** The prediction for a text or a word. */
export interface Prediction {
  /** The text; for a word, that of its row. */
  readonly text: string
  /** The word, for tasks on words. */
  readonly word?: string
  /** The answer in words: names of classes, or scores. */
  readonly label: string
  /** Probability of the answer, 0 to 1; absent if the task has none. */
  readonly probability?: number
  /** Probabilities of all classes, in the order of the task's labels; absent if the task has none. */
  readonly probabilities?: ReadonlyArray<number>
  /** Scores, in the order of the task's labels; absent if the task has none. */
  readonly scores?: ReadonlyArray<number>
}

/** A prediction with the expected answer. */
export interface JudgedPrediction extends Prediction {
  /** The answer in the data. */
  readonly expected: string
  /** Distance from the expected score. Default: the answer is right or wrong. */
  readonly distance?: number
}

/** Result of an evaluation. */
export interface Judgement {
  /** Metrics without `loss`; absent if rows have no answer. */
  readonly metrics?: Metrics
  /** Scores of each class, for tasks with one class an example. */
  readonly classification?: ClassificationMetrics
  /** One a row, or one a word, in the order of the rows. Default: none. */
  readonly predictions?: ReadonlyArray<JudgedPrediction>
}
