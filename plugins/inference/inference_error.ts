/** Kind of an {@link InferenceError}. */
export type InferenceReason =
  /** An option, a prompt or a name is wrong; or it cannot be done with this model. */
  | "Options"
  /** A file is not there, cannot be fetched, or is damaged. */
  | "Files"
  /** The model is not understood. */
  | "Model"
  /** The adapter is not understood, or does not fit the model. */
  | "Adapter"
  /** There is not enough memory. */
  | "Memory"
  /** The device failed, or there is none. */
  | "Device"
  /** The model was freed. */
  | "Freed"

/** What cannot be done, in a sentence that says what was given and what to do. `cause` is the error underneath, if any. */
export class InferenceError extends Error {
  /** Shown in stack traces. */
  override readonly name: string = "InferenceError"
  /** Kind of failure. */
  readonly reason: InferenceReason

  /** An error of a kind. */
  constructor(reason: InferenceReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Kinds by the tags of errors underneath; by tag and reason where they differ. */
const REASONS: Readonly<Record<string, InferenceReason>> = {
  ModelError: "Model",
  "ModelError Options": "Options",
  "ModelError Unsupported": "Options",
  TrainingError: "Options",
  PluginError: "Adapter",
  AdapterError: "Adapter",
  "AdapterError Unknown": "Options",
  "AdapterError Files": "Files",
  DataError: "Files",
  "DataError Template": "Options",
  "DataError BadInput": "Options",
  "DataError TooLong": "Options",
  JsonError: "Files",
  SafetensorsError: "Files",
  GgufError: "Files",
  StorageError: "Files",
  BackendError: "Device",
  "BackendError OutOfMemory": "Memory",
}

/** What was thrown as an {@link InferenceError}; an error that is not known here stays as it is. */
export function toInferenceError(thrown: unknown): unknown {
  for (let inner = thrown; inner instanceof Error; inner = causeOf(inner)) {
    if (inner instanceof InferenceError) return inner
  }
  const { _tag: tag, reason, message = "" } = (thrown ?? {}) as Partial<Record<"_tag" | "reason" | "message", string>>
  const kind = REASONS[`${tag} ${reason}`] ?? REASONS[`${tag}`]
  return kind === undefined ? thrown : new InferenceError(kind, message, { cause: thrown })
}

/** What failed underneath: a platform's error has it in its reason. */
const causeOf = ({ cause, reason }: Error & { readonly reason?: unknown }): unknown =>
  cause ?? (reason as { readonly cause?: unknown } | undefined)?.cause
