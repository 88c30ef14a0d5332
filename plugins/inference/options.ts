import type { BackendChoice } from "../../core/backend/auto.ts"
import type { WasmOptions } from "../../core/backend/wasm/backend.ts"
import type { SamplingOptions } from "../../core/inference/sampler.ts"
import { instance, signal } from "../../core/options/instance_field.ts"
import { methodName } from "../../core/options/method_options.ts"
import { faultsOf, type Field, field, type OptionTable, valueFaults } from "../../core/options/mod.ts"
import { InferenceError } from "./inference_error.ts"
import type { FetchOptions } from "./files/fetch_file.ts"

/** Options of `load`. */
export interface LoadOptions extends FetchOptions {
  /**
   * Names of the classes of a classifier, in the order of its head. A model without such a head gets a new one, for adapters
   * that bring theirs. Default: those of `config.json` where its model is a classifier; else the model writes texts, or, of
   * an encoder, gives embeddings alone.
   */
  readonly labels?: ReadonlyArray<string>
  /** What computes: `"webgpu"`, `"wasm"`, or a real GPU if there is one. Default `"auto"`. */
  readonly backend?: BackendChoice
  /** Options of the CPU backend, such as `{ threads: 2 }`. Default: all threads. */
  readonly wasm?: WasmOptions
  /** What matrices are kept in: as the file has them, or a number format. Default `"stored"`. */
  readonly weights?: "stored" | "f32" | "bf16" | "f16"
  /** Room for adapters, taken when the first one comes. */
  readonly adapters?: BankOptions
}

/** Room for adapters: their number may be any, and those that were used longest ago give way. */
export interface BankOptions {
  /** Adapters that the backend's memory holds at once; the others wait in the page's. Default 8. */
  readonly slots?: number
  /** The greatest rank of an adapter. Every text costs as much as this rank. Default 16. */
  readonly rank?: number
  /**
   * Linear modules that adapters may change, as PEFT's `target_modules` names them. Every text costs as much as all of
   * these. Default `"all-linear"`.
   */
  readonly targets?: string | ReadonlyArray<string>
  /** Whether adapters may be DoRA's, beside plain ones; every text then costs a little more. Default false. */
  readonly dora?: boolean
}

/** Options of `adapter`. */
export interface AdapterOptions extends FetchOptions {
  /** Names of the classes of its head. Default: the model's where they are as many. */
  readonly labels?: ReadonlyArray<string>
}

/** Options that name an adapter and stop the work. */
export interface CallOptions {
  /** Name of the adapter to go through, as `adapter` was given it. Default: the base model alone. */
  readonly adapter?: string
  /** Stops it: the promise rejects with `signal.reason`. */
  readonly signal?: AbortSignal
}

/** Options of `generate`. */
export interface GenerateOptions extends CallOptions, SamplingOptions {
  /** Most tokens to add. Default 64. */
  readonly maxNewTokens?: number
  /** Texts that end it, and are no part of it. Default: none; the model's own end ends it in any case. */
  readonly stopStrings?: ReadonlyArray<string>
}

/** Options of `classify`. */
export interface ClassifyOptions extends CallOptions {
  /** Longer texts are cut to so many tokens. Default: a longer text than the model takes is an error. */
  readonly maxLength?: number
}

/** Options of `embed`. */
export interface EmbedOptions extends ClassifyOptions {
  /** Whether embeddings get the length 1. Default: as the model's files say, else false. */
  readonly normalize?: boolean
}

const FETCH: OptionTable<FetchOptions, keyof FetchOptions> = {
  signal,
  progress: instance<NonNullable<FetchOptions["progress"]>>("a function", (value) => typeof value === "function"),
  cache: field.text({ pattern: "." }),
}

const LABELS = field.list(field.text({}), { minItems: 2 })

/** {@link LoadOptions} as a table. */
export const LOAD_OPTIONS: OptionTable<LoadOptions, keyof LoadOptions> = {
  ...FETCH,
  labels: LABELS,
  adapters: instance<BankOptions>("an object", () => true),
  backend: field.choice(["auto", "wasm", "webgpu"], {}),
  wasm: instance<WasmOptions>("an object", () => true),
  weights: field.choice(["stored", "f32", "bf16", "f16"], {}),
}

/** {@link AdapterOptions} as a table. */
export const ADAPTER_OPTIONS: OptionTable<AdapterOptions, keyof AdapterOptions> = { ...FETCH, labels: LABELS }

/** Throws {@link InferenceError} for what is no name of an adapter. */
export function checkName(name: string): void {
  const [fault] = valueFaults(name, methodName, "name")
  if (fault !== undefined) throw new InferenceError("Options", fault.message)
}

/** Throws {@link InferenceError} that names every wrong option. */
export function checkOptions<T>(table: Readonly<Record<string, Field<unknown>>>, options: T): T {
  const faults = faultsOf(table, options as object)
  if (faults.length === 0) return options
  throw new InferenceError("Options", faults.map(({ message }) => message).join("; "))
}
