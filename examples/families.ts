/**
 * The model families of this repository, for programs that take whichever model they are given.
 * @module
 */
import * as Layer from "effect/Layer"
import * as Bert from "../plugins/bert/mod.ts"
import * as Gemma from "../plugins/gemma/mod.ts"
import * as Granite from "../plugins/granite/mod.ts"
import * as Gpt2 from "../plugins/gpt2/mod.ts"
import * as Lfm2 from "../plugins/lfm2/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as SmolLM3 from "../plugins/smollm3/mod.ts"
import * as T5 from "../plugins/t5/mod.ts"

/** Registers all of them. */
export const families = Layer.mergeAll(
  Bert.layer,
  Gemma.layer,
  Gpt2.layer,
  Granite.layer,
  Lfm2.layer,
  Llama.layer,
  SmolLM3.layer,
  T5.layer,
)
