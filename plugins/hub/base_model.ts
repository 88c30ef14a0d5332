import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../core/contracts/attempt.ts"
import { pathExists } from "../../core/formats/files/path_exists.ts"
import type { StorageError } from "../../core/formats/files/storage_error.ts"
import type { JsonError } from "../../core/formats/json/json_error.ts"
import { readJson } from "../../core/formats/json/json_file.ts"
import { HubError } from "./hub_error.ts"
import { hubNameText, isHubName, parseHubName } from "./hub_name.ts"

/**
 * The base model that an adapter names in its `adapter_config.json`, as a path for `Model.load`: `hf:owner/name@revision`, or
 * a folder of this machine, which an adapter from a hub cannot name. Fails with {@link HubError} `Content` where it names none.
 *
 * @param adapter Folder of an adapter in PEFT's files, or its name on a hub.
 */
export function baseModel(
  adapter: string,
): Effect.Effect<string, HubError | StorageError | JsonError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const file = `${adapter.replace(/(?<=.)\/+$/, "")}/adapter_config.json`
    const { base_model_name_or_path: base, revision } = (yield* readJson(file) ?? {}) as Readonly<
      Record<string, unknown>
    >
    const none = (why: string) =>
      new HubError({ reason: "Content", asked: adapter, message: `${file}: ${why}; name the model` })
    if (typeof base !== "string" || base === "") return yield* none("it names no base model")
    if (isHubName(base)) return base
    if (!isHubName(adapter) && (yield* pathExists(base))) return base
    const name = { repository: base, revision: typeof revision === "string" ? revision : "main", path: "" }
    const text = hubNameText(name)
    yield* attempt(() => parseHubName(text), HubError).pipe(
      Effect.mapError(() =>
        none(`the base model is ${JSON.stringify(base)}, which is neither here nor a name on a hub`)
      ),
    )
    return text
  })
}
