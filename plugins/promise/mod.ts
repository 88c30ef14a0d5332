/**
 * Fine-tuning with promises, for programs without Effect: the object of a run file in, a fine-tuned model out.
 *
 * ```ts
 * import { fineTune } from "@espalier/espalier/promise"
 *
 * const tuned = await fineTune({
 *   model: { path: "examples/models/espalier-1m" },
 *   data: { path: "examples/data/sms_spam.tsv", text: "SMS", label: "Label", quotes: "none" },
 *   methods: [{ method: "lora", r: 8, loraAlpha: 16 }],
 *   training: { maxSteps: 20, learningRate: 2e-3, maxLength: 64 },
 *   output: "runs/promise",
 * }, {
 *   overwrite: true,
 *   progress: (event) => {
 *     if (event.type === "step") console.log(`step ${event.step} of ${event.totalSteps}: loss ${event.loss}`)
 *   },
 * })
 * try {
 *   console.log(tuned.before, tuned.after, tuned.report)
 *   console.log(await tuned.predict(["You have won a prize, call now"]))
 * } finally {
 *   await tuned.close()
 * }
 * ```
 *
 * @module
 */
export { fineTune } from "./fine_tune.ts"
export type { FineTuned, OfTask } from "./fine_tuned.ts"
export { FINE_TUNE_OPTIONS as fineTuneOptions, type FineTuneOptions } from "./options.ts"
export type { EmbedOptions } from "../../core/training/embed.ts"
export type { JudgingOptions } from "../../core/training/judging_options.ts"
export type { AutoOptions, BackendChoice } from "../../core/backend/auto.ts"
export type { WasmOptions } from "../../core/backend/wasm/backend.ts"
export type { EspalierOptions } from "../../core/training/espalier.ts"
export type { EvaluateOptions } from "../../core/training/evaluate.ts"
export type { GenerateOptions } from "../../core/inference/generate.ts"
export type { MethodSpec, RunMethods, RunSpec } from "../../core/run/mod.ts"
