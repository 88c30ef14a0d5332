/** What the model is for. It decides the head, and what labels are. */
export type Task = ClassificationTask | CausalLMTask

/** One class for a text. */
export interface ClassificationTask {
  /** Tells the tasks apart. */
  readonly kind: "classification"
  /** Names of the classes; a label is a place in this list. */
  readonly labels: ReadonlyArray<string>
}

/** The next token, at every place. */
export interface CausalLMTask {
  /** Tells the tasks apart. */
  readonly kind: "causal-lm"
}

/** Makes tasks. */
export const Task: {
  /** One of `labels` for a text. */
  readonly classification: (labels: ReadonlyArray<string>) => ClassificationTask
  /** The next token, at every place. */
  readonly causalLM: () => CausalLMTask
} = {
  classification: (labels) => ({ kind: "classification", labels }),
  causalLM: () => ({ kind: "causal-lm" }),
}
