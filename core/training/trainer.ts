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
  type PredictError,
  type PredictOptions,
} from "./evaluate.ts"
export { evaluateTexts, type EvaluateTextsOptions, type TextEvaluation, type WrittenText } from "./evaluate_texts.ts"
export type { JudgedPrediction, Prediction } from "../tasks/task.ts"
export { embed, type EmbedOptions } from "./embed.ts"
export type { JudgingOptions } from "./judging_options.ts"
export { type Batch, collate } from "../data/batches/batches.ts"
export type { Example } from "../data/encode.ts"
export { fit } from "./fit.ts"
export type { RetainedScores } from "../contracts/train_event.ts"
export type { Run, RunAccount, TrainError } from "./run_folder/run.ts"
export {
  type Session,
  session,
  type SessionState,
  type SessionStep,
  type Snapshot,
  type StepResult,
} from "./session.ts"
export type { SessionModel, SessionOptions } from "./step/session_options.ts"
export type { Tasks } from "../model/heads/model_task.ts"
export type { NamedSlot } from "./step/step_slots.ts"
export type { Cadence, EarlyStopping, TrainOptions } from "./options.ts"
export type { Split, TrainingData } from "./loop/training_data.ts"
export { adamW, type AdamWOptions } from "./optimizers/adamw.ts"
export { sgd, type SgdOptions } from "./optimizers/sgd.ts"
export type { Optimizer, UpdateContext, Updated } from "./optimizers/optimizer.ts"
export { type Schedule, scheduleFactor, type ScheduleLengths } from "./optimizers/schedule.ts"
export type { ClassificationMetrics, ClassScores, ConfusionMatrix } from "../tasks/measures/classification_metrics.ts"
export type { RunFolder } from "./run_folder/run_folder.ts"
export {
  type ChromeEvent,
  type ChromeTrace,
  chromeTrace,
  type ProfileGroup,
  profileGroups,
  profileTable,
  type StepTrace,
  type TracedRun,
} from "../report/profile.ts"
export { type ProgressOutput, showProgress } from "../report/progress.ts"
export type { ReportData, ReportDivision, ReportEvaluation, ReportSample, ReportSection } from "../report/report.ts"
export { trainableParametersLine } from "../report/trainable_parameters.ts"
