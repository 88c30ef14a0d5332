import * as Effect from "effect/Effect"
import { HubError } from "./hub_error.ts"
import { type HubName, hubNameText } from "./hub_name.ts"
import type { Snapshot } from "./snapshot.ts"

/** What models, tokenizers and adapters are read from: no other weights, and no `consolidated.safetensors` of a maker's own. */
const READ = /^(?!consolidated)[^/]+\.(json|jinja|safetensors)$/

/** Fetches the file of a name, or what is read of its folder; gives the path in the cache. */
export function fetchAhead(
  name: HubName,
  { commit, folder, files, local }: Snapshot,
): Effect.Effect<string, HubError> {
  const { path } = name
  if (files.has(path)) return local(path)
  const prefix = path === "" ? "" : `${path}/`
  const wanted = [...files.keys()].filter((file) => file.startsWith(prefix) && READ.test(file.slice(prefix.length)))
  if (wanted.length === 0) {
    const asked = hubNameText(name)
    const message =
      `${asked} holds nothing that is read here (at ${commit}): no config, tokenizer or safetensors; a GGUF ` +
      "file is named whole, hf:owner/name/file.gguf"
    return Effect.fail(new HubError({ reason: "File", asked, message }))
  }
  return Effect.as(Effect.forEach(wanted, local, { discard: true }), path === "" ? folder : `${folder}/${path}`)
}
