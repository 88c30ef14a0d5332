/**
 * Training, evaluating, predicting, embedding. Meant as a namespace: `Trainer.fit(model, data, { epochs: 3 })`.
 * @module
 */
export {
  evaluate,
  type EvaluateError,
  type EvaluateOptions,
  type Evaluation,
  predict,
  type Prediction,
  type WordPrediction,
} from "./evaluate.ts"
export { embed, type EmbedOptions } from "./embed.ts"
export { type Batch, collate } from "../data/batches.ts"
export type { Example } from "../data/encode.ts"
export { fit } from "./fit.ts"
export type { Run, RunAccount, TrainError } from "./run.ts"
export {
  type Session,
  session,
  type SessionState,
  type SessionStep,
  type Snapshot,
  type StepResult,
} from "./session.ts"
export type { SessionModel, SessionOptions } from "./session_options.ts"
export type { NamedSlot } from "./step_slots.ts"
export { stream } from "./stream.ts"
export type { Cadence, EarlyStopping, TrainOptions } from "./options.ts"
export type { Split, TrainingData } from "./training_data.ts"
export { adamW, type AdamWOptions } from "./adamw.ts"
export { sgd, type SgdOptions } from "./sgd.ts"
export type { Optimizer, UpdateContext, Updated } from "./optimizer.ts"
export { type Schedule, scheduleFactor, type ScheduleLengths } from "./schedule.ts"
export type { ClassificationMetrics, ClassScores, ConfusionMatrix } from "./metrics.ts"
export type { RunFolder } from "./run_folder.ts"
export {
  type ChromeEvent,
  type ChromeTrace,
  chromeTrace,
  type ProfileGroup,
  profileGroups,
  profileTable,
  type StepTrace,
  type TracedRun,
} from "./profile.ts"
export { type ProgressOutput, showProgress } from "./progress.ts"
export type { ReportData, ReportDivision, ReportEvaluation, ReportSample } from "./report.ts"
export { trainableParametersLine } from "./trainable_parameters.ts"
