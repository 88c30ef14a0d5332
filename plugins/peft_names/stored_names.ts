/**
 * Names of an adapter's tensors as they are found: with wrappers of compiled and parallel models, with the adapter's name
 * inside, without PEFT's prefix, without the name of the backbone.
 * @module
 */
import type { BackboneInfo, ModuleInfo } from "../../core/contracts/module_info.ts"

/** What PEFT puts before the names of the model's modules. */
export const PREFIX: string = "base_model.model."

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

/** Whether an adapter was made on a model without a head, whose names lack the backbone's. */
export function isBare(parts: ReadonlyArray<string>, { path, parts: within }: BackboneInfo): boolean {
  return !parts.includes(path.split(".")[0]) && within.some((part) => parts.includes(part))
}

/** Part of BERT's kind of model that only some of its heads use. */
const POOLER = "pooler"

/** Whether an adapter has a pooler that the model at hand does not have: its tensors play no part. */
export function hasIdlePooler(parts: ReadonlyArray<string>, backbone: BackboneInfo | undefined): boolean {
  return backbone !== undefined && isBare(parts, backbone) && parts.includes(POOLER) && !backbone.parts.includes(POOLER)
}

/**
 * A module's path as an adapter with such first parts of names has it; undefined for what lies outside of the model that it
 * was made on.
 */
export function adapterPath(
  parts: ReadonlyArray<string> | undefined,
  { path, backbone }: Pick<ModuleInfo, "path" | "backbone">,
): string | undefined {
  if (parts === undefined || backbone === undefined || !isBare(parts, backbone)) return path
  return path.startsWith(`${backbone.path}.`) ? path.slice(backbone.path.length + 1) : undefined
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
