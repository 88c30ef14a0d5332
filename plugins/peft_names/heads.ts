import type { Head } from "../../core/contracts/head.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"

/** Heads of classifiers, which train whole beside an adapter, as PEFT and AdapterHub have it. */
export const HEADS: ReadonlyArray<string> = ["classifier", "score"]

/**
 * Whether a module is such a head, or a part of one (classifier.out_proj). As in PEFT, one whose name merely ends in a
 * head's (pre_classifier) belongs to it.
 */
export function isHead({ path, outputHead }: ModuleInfo): boolean {
  if (!outputHead) return false
  // A task may be called as heads are.
  const parts = path.replace(/^heads\.[^.]+\./, "").split(".")
  return parts.some((part) => HEADS.some((name) => part.endsWith(name)))
}

/** Whether adapters of a bank may hold a module whole: a classifier's head, and what lies before it and starts new. */
export function isHeldWhole(module: ModuleInfo, head: Head): boolean {
  return module.kind === "Linear" && (isHead(module) || (module.outputHead && head.kind !== "vocabulary"))
}
