import { AdapterError } from "../../../core/contracts/bank/adapter_error.ts"
import { BackendError } from "../../../core/backend/backend_error.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { DataError } from "../../../core/data/data_error.ts"
import { GrammarError } from "../../../core/inference/text/mod.ts"
import { ModelError } from "../../../core/model/model_error.ts"
import { TrainingError } from "../../../core/training/training_error.ts"
import { ApiError, badField } from "./api_error.ts"

/** Errors that say what is wrong with what was asked. */
const ASKED = [AdapterError, ModelError, PluginError, DataError, TrainingError]

/** The answer to a request that failed; undefined where the fault is the server's own, which a client is not told of. */
export function toApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  if (error instanceof GrammarError) return badField("response_format", `response_format: ${error.message}`)
  if (ASKED.some((one) => error instanceof one)) return new ApiError({ status: 400, message: (error as Error).message })
  if (error instanceof BackendError && error.reason === "OutOfMemory") {
    return new ApiError({ status: 503, message: error.message, code: "out_of_memory", retryAfter: 10 })
  }
  return undefined
}

/** The answer where the fault is the server's own. */
export const OWN_FAULT: ApiError = new ApiError({ status: 500, message: "the server failed; its log says why" })
