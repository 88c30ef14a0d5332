import type { BackboneInfo, ModuleInfo } from "../../core/contracts/module_info.ts"

/** What PEFT puts before the names of the model's modules. */
export const PREFIX: string = "base_model.model."

/** Whether an adapter was made on a model without a head, whose names lack the backbone's. */
export function isBare(parts: ReadonlyArray<string>, { path, parts: within }: BackboneInfo): boolean {
  return !parts.includes(path.split(".")[0]) && within.some((part) => parts.includes(part))
}

/** Part of BERT's kind of model that only some of its heads use. */
export const POOLER = "pooler"

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
