/**
 * All methods, model families, readers and reviews of this package, for programs whose users choose. A program that knows its
 * method imports that alone, and is smaller.
 *
 * ```ts
 * import { families, METHODS } from "@espalier/espalier/all"
 * import { layersOf, runProblems } from "@espalier/espalier/run"
 * import * as Layer from "effect/Layer"
 *
 * const methods = [{ method: "lora", r: 8 }, { method: "prefix-tuning", numVirtualTokens: 10 }]
 * const run = { model: { path: "m" }, data: { path: "d.csv" }, methods, output: "runs/d" }
 * const problems = runProblems(run, METHODS)
 * console.log(problems) // []
 *
 * const Methods = Layer.mergeAll(families, ...layersOf(methods, METHODS))
 * ```
 *
 * @module
 */
export { families } from "../families/mod.ts"
export { METHODS } from "./methods.ts"
export { READERS } from "./readers.ts"
export { REVIEWS } from "./reviews.ts"
export type { Families, FamiliesService, Family } from "../../core/model/load/families.ts"
export type { Plugins, PluginsService } from "../../core/contracts/plugins.ts"
export type { Finding, MethodLayer, Review, Reviewed, RunMethod, RunMethods } from "../../core/run/mod.ts"
