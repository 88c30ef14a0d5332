import type { Message } from "../chat/mod.ts"
import type { Prediction } from "../../core/tasks/task.ts"
import type { Files } from "./files/place_of.ts"
import type { AdapterOptions, ClassifyOptions, EmbedOptions, GenerateOptions } from "./options.ts"

/** A model in memory, with its adapters. It holds memory and threads until `free`. */
export interface LoadedModel {
  /** What it is for: it writes texts, or answers them with classes or scores. `embed` works with every one. */
  readonly does: "generate" | "classify" | "embed"
  /** Names of its classes or scores, in the order of its head; empty where it has none. */
  readonly labels: ReadonlyArray<string>
  /** One line: what computes. */
  readonly backend: string
  /** Whether it has a chat template, so that `generate` takes messages. */
  readonly chats: boolean
  /** What a person should know. */
  readonly notes: ReadonlyArray<string>
  /** Names of its adapters. */
  readonly adapters: ReadonlyArray<string>
  /**
   * Loads a LoRA adapter, in Hugging Face PEFT's files, under a name of letters, digits, dots and dashes; one of that name is
   * replaced once the new one is there. Later calls choose it by its name, which costs a copy and compiles nothing.
   */
  readonly adapter: (name: string, files: Files, options?: AdapterOptions) => Promise<void>
  /** Takes an adapter out. */
  readonly removeAdapter: (name: string) => Promise<void>
  /**
   * What follows a prompt, or the answer to messages, in pieces of whole characters as they are made. Texts that are asked
   * for at once are written together. When the loop over the pieces ends early, so does the text.
   */
  readonly generate: (
    prompt: string | ReadonlyArray<Message>,
    options?: GenerateOptions,
  ) => AsyncGenerator<string, void, undefined>
  /** Answers of a classifier, or scores, one a text. */
  readonly classify: (texts: ReadonlyArray<string>, options?: ClassifyOptions) => Promise<ReadonlyArray<Prediction>>
  /** Embeddings [hiddenSize] of texts: the mean of their last hidden states, or as the model's files say. */
  readonly embed: (
    texts: ReadonlyArray<string>,
    options?: EmbedOptions,
  ) => Promise<ReadonlyArray<Float32Array<ArrayBufferLike>>>
  /** Frees memory and threads. What is under way, and later calls, reject with an InferenceError `Freed`. */
  readonly free: () => Promise<void>
}
