/** What the model is for. It decides the head, and what labels are. */
export type Task = ClassificationTask | TokenClassificationTask | CausalLMTask | MaskedLMTask

/** One class for a text. */
export interface ClassificationTask {
  /** Tells the tasks apart. */
  readonly kind: "classification"
  /** Names of the classes; a label is a place in this list. */
  readonly labels: ReadonlyArray<string>
}

/** One class for each word of a text. */
export interface TokenClassificationTask {
  /** Tells the tasks apart. */
  readonly kind: "token-classification"
  /** Names of the classes; a label is a place in this list. */
  readonly labels: ReadonlyArray<string>
}

/** The next token, at every place. */
export interface CausalLMTask {
  /** Tells the tasks apart. */
  readonly kind: "causal-lm"
}

/** Tokens that were hidden from the model, from those on both sides (Devlin et al. 2018). */
export interface MaskedLMTask {
  /** Tells the tasks apart. */
  readonly kind: "masked-lm"
}

/** Makes tasks. */
export const Task: {
  /** One of `labels` for a text. */
  readonly classification: (labels: ReadonlyArray<string>) => ClassificationTask
  /** One of `labels` for each word of a text. */
  readonly tokenClassification: (labels: ReadonlyArray<string>) => TokenClassificationTask
  /** The next token, at every place. */
  readonly causalLM: () => CausalLMTask
  /** Hidden tokens, from those on both sides. */
  readonly maskedLM: () => MaskedLMTask
} = {
  classification: (labels) => ({ kind: "classification", labels }),
  tokenClassification: (labels) => ({ kind: "token-classification", labels }),
  causalLM: () => ({ kind: "causal-lm" }),
  maskedLM: () => ({ kind: "masked-lm" }),
}

/** Names of the classes; none for a language model. */
export function labelsOf(task: Task): ReadonlyArray<string> | undefined {
  return "labels" in task ? task.labels : undefined
}

/** Whether a label belongs to a whole example, [B], or to each token, [B, T]. */
export function labelKind(task: Task): "example" | "token" {
  return task.kind === "classification" ? "example" : "token"
}
