import type { BatchTensors, Objective } from "../../contracts/objective.ts"
import type { Model, ModelParameter } from "../../model/model.ts"
import type { OptionNames } from "../../options/unknown_option.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { adamW } from "../optimizers/adamw.ts"
import type { Optimizer } from "../optimizers/optimizer.ts"
import type { StepSettings } from "./step_graphs.ts"
import { TrainingError } from "../training_error.ts"
import type { Tasks } from "../../model/heads/model_task.ts"
import { hasNamedTasks, taskNamed } from "./task_named.ts"

/** The parts of a model that a session trains. */
export interface SessionModel
  extends Pick<Model, "backend" | "parameters" | "contributions" | "forward" | "merged" | "off" | "tensor">, Tasks {}

/** Options of a session. */
export interface SessionOptions {
  /** Default {@link adamW}. */
  readonly optimizer?: Optimizer
  /** Weight decay of parameters with two and more axes. Default 0. */
  readonly weightDecay?: number
  /** Greatest global norm of the gradient; 0 leaves it alone. Default 1. */
  readonly maxGradNorm?: number
  /** Seed of dropout and of gradient transforms. Default 42. */
  readonly seed?: number
  /** Names of the tasks that batches belong to. Default: those of the model. */
  readonly tasks?: ReadonlyArray<string>
  /** The loss before methods change it. Default: that of the batch's task. */
  readonly objective?: Objective
  /** Changes a batch before the model sees it, such as hiding tokens. Default: batches stay as they are. */
  readonly prepare?: (batch: BatchTensors, key: readonly [Tensor, Tensor]) => BatchTensors
  /** Examples that a step is planned for; needed where a method requires a constant divisor. */
  readonly examplesPerStep?: number
  /** Whether results have losses by example. Default: whether a method requires it. */
  readonly exampleLosses?: boolean
  /** Compute the inner values of the model's blocks again for derivatives: less memory, more work. Default false. */
  readonly gradientCheckpointing?: boolean
}

/** The names of {@link SessionOptions}. */
export const SESSION_OPTIONS: OptionNames<SessionOptions> = {
  optimizer: true,
  weightDecay: true,
  maxGradNorm: true,
  seed: true,
  tasks: true,
  objective: true,
  prepare: true,
  examplesPerStep: true,
  exampleLosses: true,
  gradientCheckpointing: true,
}

const wrong = (message: string) => new TrainingError({ reason: "Options", message })

/**
 * Parameters of a model that training changes. Throws {@link TrainingError} (`NothingTrains`) if there are none.
 *
 * @param tasks Those that train: what only others reach stays as it is. Default: all.
 */
export function trainedParameters(model: SessionModel, tasks?: ReadonlyArray<string>): ReadonlyArray<ModelParameter> {
  const { parameters, merged, off } = model
  // Weight decay would change also what graphs do not read.
  const isRead = ({ owner, key, tensor }: ModelParameter) =>
    owner === "base" ? model.tensor(key, false) === tensor : !off.has(owner) && !merged.has(owner)
  const isReached = ({ tasks: reaching }: ModelParameter) =>
    tasks === undefined || reaching === undefined || reaching.some((task) => tasks.includes(task))
  const trained = parameters.filter((parameter) => parameter.trainable && isRead(parameter) && isReached(parameter))
  if (trained.length > 0) return trained
  const message = "no parameter would be trained: the methods chose none, and all others are frozen"
  throw new TrainingError({ reason: "NothingTrains", message })
}

/** What the graphs of a session are made from. Throws {@link TrainingError}. */
export function settingsOf(model: SessionModel, options: SessionOptions): StepSettings {
  const { optimizer = adamW(), weightDecay = 0, maxGradNorm = 1 } = options
  const objective = options.objective ?? ((context) => taskNamed(model, context.batch.task).objective(context))
  for (const [name, value] of Object.entries({ weightDecay, maxGradNorm })) {
    if (!Number.isFinite(value) || value < 0) throw wrong(`${name} must be a number from 0, got ${value}`)
  }
  const tensors = new Map(model.parameters.map(({ key, tensor }) => [key, tensor]))
  return {
    forward: model.forward,
    parameter: (key) => {
      const tensor = tensors.get(key)
      if (tensor === undefined) throw wrong(`an objective asks for the parameter "${key}", which nobody brought`)
      return tensor
    },
    trained: trainedParameters(model, hasNamedTasks(model) ? options.tasks : undefined),
    specOf: (task) => taskNamed(model, task),
    gradientCheckpointing: options.gradientCheckpointing ?? false,
    ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
    objective,
    contributions: model.contributions,
    optimizer,
    weightDecay,
    maxGradNorm,
    exampleLosses: options.exampleLosses ?? model.contributions.some(({ requires }) => requires?.perExampleLoss),
    ...divisorOf(model, options.examplesPerStep),
  }
}

function divisorOf({ contributions }: SessionModel, examples: number | undefined): Pick<StepSettings, "divisor"> {
  const wanting = contributions.find(({ requires }) => requires?.constantDivisor)
  if (wanting === undefined) return {}
  if (examples !== undefined && Number.isSafeInteger(examples) && examples > 0) return { divisor: examples }
  throw wrong(`${wanting.id} divides by a constant: examplesPerStep must be a whole number from 1, got ${examples}`)
}
