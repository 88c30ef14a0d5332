/**
 * Why an adapter's files do not fit a bank.
 * @module
 */
import { AdapterError } from "../../core/contracts/bank/adapter_error.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { StorageError } from "../../core/formats/files/storage_error.ts"
import { PeftError } from "../peft_names/mod.ts"

/** The error of an adapter; the message names it. */
export function adapterFault(
  adapter: string,
  reason: AdapterError["reason"],
  what: string,
  cause?: unknown,
): AdapterError {
  return new AdapterError({ reason, adapter, message: `adapter "${adapter}": ${what}`, cause })
}

/** An error of the files as that of the adapter; `weights` is the kind of wrong tensors. Any other error is a defect. */
export function toAdapterFault(name: string, weights: AdapterError["reason"]): (error: unknown) => AdapterError {
  const kinds = { Config: "Files", Unsupported: "Unsupported", Mismatch: "Base", Weights: weights } as const
  return (error) => {
    if (error instanceof AdapterError) return error
    if (error instanceof StorageError) return adapterFault(name, "Files", error.message, error)
    if (error instanceof PluginError) return adapterFault(name, "Base", error.message, error)
    if (error instanceof PeftError) return adapterFault(name, kinds[error.reason], error.message, error)
    throw error
  }
}
