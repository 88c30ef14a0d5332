import type { ArtifactFiles, BaseChanges } from "../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../core/contracts/module_info.ts"
import type { ResolvedOptions } from "./options.ts"

/** The base model as it was loaded: what these files bring of it, and which of its weights are tied. */
export interface SeenBase {
  /** What the files bring. */
  readonly changes: BaseChanges
  /** Keys of tied weights, each with that of the weight that it is. */
  readonly tied: Readonly<Record<string, string>>
}

/** A saved adapter. */
export interface Saved {
  /** Contents by name. */
  readonly files: ArtifactFiles
  /** What the files change of the base model. */
  readonly changes: (
    options: ResolvedOptions,
    modules: ReadonlyArray<ModuleInfo>,
    tied: SeenBase["tied"],
  ) => BaseChanges
}
