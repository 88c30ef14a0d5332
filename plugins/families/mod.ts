/**
 * All model families of this package, without its methods.
 * @module
 */
import * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { Families } from "../../core/model/load/families.ts"
import * as Bert from "../bert/mod.ts"
import * as EuroBert from "../eurobert/mod.ts"
import * as Gemma from "../gemma/mod.ts"
import * as Gpt2 from "../gpt2/mod.ts"
import * as Granite from "../granite/mod.ts"
import * as Lfm2 from "../lfm2/mod.ts"
import * as Llama from "../llama/mod.ts"
import * as ModernBert from "../modernbert/mod.ts"
import * as SmolLM3 from "../smollm3/mod.ts"
import * as T5 from "../t5/mod.ts"

/** All model families of this package. */
export const families: Layer.Layer<never, PluginError, Families> = Layer.mergeAll(
  Bert.layer,
  EuroBert.layer,
  Gemma.layer,
  Gpt2.layer,
  Granite.layer,
  Lfm2.layer,
  Llama.layer,
  ModernBert.layer,
  SmolLM3.layer,
  T5.layer,
)
