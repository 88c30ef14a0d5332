import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Semaphore from "effect/Semaphore"
import { brief, field } from "../../../core/options/mod.ts"
import type { ServerSettings } from "../options.ts"
import { ApiError, badField } from "../requests/api_error.ts"
import { readFields, type RequestTable } from "../requests/fields.ts"
import type { Routes } from "../requests/route.ts"
import type { AdapterSlots, Served } from "../served.ts"
import { allowedFolder } from "./allowed_folder.ts"

interface Unload {
  readonly lora_name: string
  /** Name of the model that the adapter changes. Default: the one that takes adapters. */
  readonly model?: string
}

interface Load extends Unload {
  readonly lora_path: string
  /** Whether an adapter of the name is replaced. Default false. */
  readonly load_inplace?: boolean
}

const NAME = field.text({ required: true, pattern: "^\\S(.*\\S)?$", wanted: "a name" })
const UNLOAD: RequestTable<Unload, "model"> = {
  table: { lora_name: NAME, model: field.text({}) },
  neutral: { lora_int_id: [] },
}
const LOAD: RequestTable<Load, "model"> = {
  table: {
    ...UNLOAD.table,
    lora_path: field.text({ required: true, pattern: "^.", wanted: "a folder" }),
    load_inplace: field.boolean({ default: false }),
  },
  neutral: { base_model_name: [] },
}

/** The model that an adapter is for. */
function baseOf(models: ReadonlyArray<Served>, name: string | undefined): AdapterSlots {
  const able = models.filter(({ adapters }) => adapters !== undefined)
  const chosen = name === undefined ? able : able.filter(({ id }) => id === name)
  if (chosen.length === 1) return chosen[0].adapters!
  const names = able.map(({ id }) => JSON.stringify(id)).join(", ") || "none"
  throw badField("model", `model must name one that takes adapters: ${names}`)
}

const done = (message: string) => HttpServerResponse.text(message)

/** `/v1/load_lora_adapter` and `/v1/unload_lora_adapter`, with the fields and answers of vLLM. Swaps follow each other. */
export function adapterRoutes(
  routes: Routes,
  { models, adapterFolders }: ServerSettings,
): Effect.Effect<void, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const files = yield* Effect.context<FileSystem.FileSystem>()
    const one = yield* Semaphore.make(1)
    yield* routes.post("/v1/load_lora_adapter", (body) =>
      Effect.gen(function* () {
        const { lora_name: name, lora_path: path, load_inplace: replaces, model } = readFields(LOAD, body)
        const slots = baseOf(models, model)
        const folder = yield* allowedFolder(path, adapterFolders).pipe(Effect.provide(files))
        const taken = models.some((one) =>
          one.id === name || (one.adapters !== slots && one.adapters?.loaded().has(name))
        )
        if (taken || (slots.loaded().has(name) && !replaces)) {
          const advice = taken ? "take another" : "unload it first, or give load_inplace: true"
          return yield* badField("lora_name", `the name ${brief(JSON.stringify(name))} is taken: ${advice}`)
        }
        yield* slots.load(name, folder)
        return done(`Success: LoRA adapter '${name}' added successfully.`)
      }).pipe(one.withPermits(1)))
    yield* routes.post("/v1/unload_lora_adapter", (body) =>
      Effect.gen(function* () {
        const { lora_name: name, model } = readFields(UNLOAD, body)
        const slots = baseOf(models, model)
        if (!slots.loaded().has(name)) {
          const message = `the adapter ${brief(JSON.stringify(name))} is not loaded`
          return yield* new ApiError({ status: 404, message, param: "lora_name", code: "adapter_not_found" })
        }
        yield* slots.unload(name)
        return done(`Success: LoRA adapter '${name}' removed successfully.`)
      }).pipe(one.withPermits(1)))
  })
}
