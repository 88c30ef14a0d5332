import * as EuroBert from "../../plugins/eurobert/mod.ts"
import { llama } from "./llama.ts"
import type { FeatureGroup } from "./group.ts"

export const euroBert: FeatureGroup = {
  title: "EuroBERT",
  layer: EuroBert.layer,
  models: { EuroBERT: { ...llama.models.Llama, model_type: "eurobert" } },
  tasks: ["Classification", "Token classification", "Masked language modelling"],
  isBesideHead: (key) => key.startsWith("dense."),
}
