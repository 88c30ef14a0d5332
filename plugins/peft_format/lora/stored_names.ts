/**
 * Names of an adapter's tensors as they are found: with wrappers of compiled and parallel models, with the adapter's name
 * inside, without PEFT's prefix, without the name of the backbone.
 * @module
 */
import type { BackboneInfo } from "../../../core/contracts/module_info.ts"
import { hasIdlePooler, isBare, POOLER, PREFIX } from "../../peft_names/mod.ts"

/** Parts that wrappers of torch put into names. */
const WRAPPERS: ReadonlyArray<string> = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]

/** PEFT's name of a stored tensor, with {@link PREFIX}; undefined for what stands beside a copy that trains. */
export function peftName(stored: string): string | undefined {
  const parts = stored.split(".").filter((part) => !WRAPPERS.includes(part))
  while (parts[0] === "module") parts.shift()
  let name = parts.join(".")
  while (name.startsWith(PREFIX)) name = name.slice(PREFIX.length)
  if (/\.original_module\./.test(name)) return undefined
  name = name
    // Of a sentence-transformers model, whose first module holds the transformer.
    .replace(/^\d+\.(auto_)?model\./, "")
    .replace(/\.modules_to_save\.(?!(?:weight|bias)$)[^.]+\./, ".")
    .replace(/\.(lora_[AB])\.[^.]+\.(weight|bias)$/, ".$1.$2")
    .replace(/\.(lora_embedding_[AB])\.[^.]+$/, ".$1")
    .replace(/\.(lora_magnitude_vector)(\.[^.]+)?(\.weight)?$/, ".$1")
  return PREFIX + name
}

/** First parts of the stored names within the model: `model`, `layers`. */
export function firstParts(names: Iterable<string>): ReadonlyArray<string> {
  const parts = [...names].flatMap((name) => peftName(name)?.slice(PREFIX.length).split(".")[0] ?? [])
  return [...new Set(parts)]
}

/** Paths of the modules that are stored whole, as an adapter's names have them. */
export function wholeModules(names: Iterable<string>): ReadonlyArray<string> {
  const paths = [...names].flatMap((name) => {
    const own = peftName(name)?.slice(PREFIX.length) ?? ""
    return own.includes(".lora_") ? [] : [own.slice(0, Math.max(0, own.lastIndexOf(".")))]
  })
  return [...new Set(paths)]
}

/** Stored names by PEFT's, in a model with such a backbone; of two that mean one tensor both, in `twice`. */
export function storedNames(
  stored: Iterable<string>,
  backbone: BackboneInfo | undefined,
): { readonly names: ReadonlyMap<string, string>; readonly twice: ReadonlyArray<string> } {
  const all = [...stored]
  const parts = firstParts(all)
  const bare = backbone !== undefined && isBare(parts, backbone)
  const idle = hasIdlePooler(parts, backbone)
  const names = new Map<string, string>()
  const twice: string[] = []
  const plain = new Set(all)
  for (const name of all) {
    let own = peftName(name)
    // PEFT adds what trains whole of an embedding a second time.
    const short = name.replace(/\.modules_to_save\.(weight|bias)$/, ".$1")
    if (own === undefined || (short !== name && plain.has(short))) continue
    const rest = own.slice(PREFIX.length)
    if (idle && rest.startsWith(`${POOLER}.`)) continue
    if (bare && backbone.parts.includes(rest.split(".")[0])) own = `${PREFIX}${backbone.path}.${rest}`
    const other = names.get(own)
    if (other !== undefined) twice.push(`${other} and ${name}`)
    names.set(own, name)
  }
  return { names, twice }
}
