/**
 * The BERT family: encoders that look both ways, for classifying texts and tokens, for hidden tokens (masked language
 * modelling), and for embeddings of texts. Model types `bert` (MiniLM among them) and `distilbert`, under Hugging Face's
 * names.
 *
 * ```ts
 * import * as Bert from "@espalier/espalier/bert"
 * import * as Layer from "effect/Layer"
 *
 * const Methods = Layer.mergeAll(Bert.layer)
 * ```
 *
 * @module
 */
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { type Families, family } from "../../core/model/families.ts"
import { buildNetwork, modelTypes, tasks } from "./network.ts"

export type { Families, FamiliesService, Family } from "../../core/model/families.ts"
export { modelTypes }

/** Makes the family known to `Model.load`. */
export const layer: Layer.Layer<never, PluginError, Families> = family({ modelTypes, tasks, build: buildNetwork })
