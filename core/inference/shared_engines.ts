import type { Model } from "../model/model.ts"
import { type Engine, type EngineOptions, makeEngine } from "./engine.ts"
import { perModel } from "./programs.ts"

export { makeEngine }

/** A model's engine that all calls of `generate` with these options share. */
export const sharedEngine: (model: Model, options: EngineOptions) => Engine = perModel(
  makeEngine,
  ({ free }) => free(),
)
