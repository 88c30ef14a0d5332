/**
 * The graphs of a training step over shared slots.
 *
 * `accumulate` adds a micro-batch's gradients, loss and weight to its task's sums; `apply` turns the sums into new
 * parameters and empties them. `step` is both in one, for a step of one micro-batch, with no traffic between. What
 * changes from step to step is an input.
 * @module
 */
import type { Contribution } from "../../contracts/contribution.ts"
import type {
  Gradients,
  GradientTransforms,
  StepTransform,
  TransformContext,
} from "../../contracts/gradient_transform.ts"
import type { BatchTensors, ExampleLoss, Objective, Outputs } from "../../contracts/objective.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import type { BatchSpec } from "../../data/batches/batches.ts"
import type { Graph } from "../../graph/build.ts"
import { gradients as differentiate } from "../../graph/rewrite/gradients.ts"
import { narrowed } from "../../graph/rewrite/narrow.ts"
import {
  abs,
  add,
  batchSum,
  div,
  full,
  input,
  less,
  max,
  mul,
  slot,
  type SlotReference,
  where,
} from "../../tensor/ops.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import { clipByGlobalNorm, globalNorm } from "../optimizers/clip_by_global_norm.ts"
import { wrapObjective } from "./objectives.ts"
import type { Optimizer } from "../optimizers/optimizer.ts"

/** A parameter that is trained. */
export interface StepParameter extends Parameter {
  /** Where it lies. */
  readonly slot: SlotReference
  /** The slot's value in the graph: the node that `forward` uses. */
  readonly tensor: Tensor
}

/** What the graphs are made from. */
export interface StepSettings {
  /** The model with its methods on (`base`: off). */
  readonly forward: (
    batch: BatchTensors,
    options: {
      readonly training: boolean
      readonly checkpointing?: boolean
      readonly key?: readonly [Tensor, Tensor]
      readonly methods?: boolean
    },
  ) => Outputs
  /** Value of any parameter of the model by key. */
  readonly parameter: (key: string) => Tensor
  /** Parameters that get gradients. */
  readonly trained: ReadonlyArray<StepParameter>
  /** Head and batch fields of a task. */
  readonly specOf: (task: string) => BatchSpec
  /** Whether derivatives compute the inner values of the model's blocks again. Default false. */
  readonly gradientCheckpointing?: boolean
  /** Changes a batch before the model sees it. Default: it stays as it is. */
  readonly prepare?: (batch: BatchTensors, key: readonly [Tensor, Tensor]) => BatchTensors
  /** The loss before contributions wrap it. */
  readonly objective: Objective
  /** In their resolved order. */
  readonly contributions: ReadonlyArray<Contribution>
  readonly optimizer: Optimizer
  /** For parameters of two and more axes. */
  readonly weightDecay: number
  /** Greatest global norm of the gradient; 0 leaves it alone. */
  readonly maxGradNorm: number
  /** Whether losses by example are outputs. Default false. */
  readonly exampleLosses?: boolean
  /** What each task's sum over examples is divided by; an example is then the mean of its terms. Default: its weight. */
  readonly divisor?: number
}

/** Sums of one task over a step's micro-batches. */
export interface TaskSums {
  /** By parameter key. */
  readonly gradients: ReadonlyMap<string, SlotReference>
  readonly loss: SlotReference
  readonly weight: SlotReference
  /** By {@link measureKey}. */
  readonly measures: ReadonlyMap<string, SlotReference>
}

/** State that lies in checkpoints. */
export interface StateSlots {
  /** The optimizer's, by parameter key and name. */
  readonly optimizer: ReadonlyMap<string, Readonly<Record<string, SlotReference>>>
  /** Of gradient transforms, by {@link transformKey} and name. */
  readonly transforms: ReadonlyMap<string, Readonly<Record<string, SlotReference>>>
}

/** Names the transform of a contribution at a stage. */
export function transformKey(id: string, stage: "task" | "total"): string {
  return `${id}/${stage}`
}

/** Names a measure of a contribution. */
export function measureKey(id: string, name: string): string {
  return `${id}/${name}`
}

/** Symbolic sums of one task. */
interface Sums {
  readonly gradients: Gradients
  readonly loss: Tensor
  readonly weight: Tensor
  /** By {@link measureKey}. */
  readonly measures: ReadonlyMap<string, Tensor>
}

/** Sums of a micro-batch, and outputs `losses` and `weights` by example where they are wanted. */
interface MicroSums extends Sums {
  readonly examples: Readonly<Record<string, Tensor>>
}

const slots = (references: Readonly<Record<string, SlotReference>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(references).map(([name, reference]) => [name, slot(reference)]))

const keyInputs = (name: string): readonly [Tensor, Tensor] => [
  input(`${name}0`, [], { dtype: "i32" }),
  input(`${name}1`, [], { dtype: "i32" }),
]

/** Loss and gradients of a micro-batch, summed over its examples. Inputs beside the batch's: `dropout0`, `dropout1`. */
function microBatch(settings: StepSettings, state: StateSlots, given: BatchTensors): MicroSums {
  const { contributions, trained, gradientCheckpointing: checkpointing = false } = settings
  const key = keyInputs("dropout")
  const batch = settings.prepare?.(given, key) ?? given
  const objective = wrapObjective(settings.objective, contributions, settings.parameter, trained)
  const scored = objective({
    batch,
    outputs: settings.forward(batch, { training: true, checkpointing, key }),
    base: () => settings.forward(batch, { training: true, checkpointing, key, methods: false }),
    parameter: (name) => settings.parameter(name),
    trained: [],
  })
  const each = settings.divisor === undefined ? scored : meanOfTerms(scored)
  const [loss, weight] = narrowed([each.loss, each.weight].map((x) => batchSum(mul(x, batch.exampleWeight))))
  const perExample = contributions.some(({ gradients }) => gradients?.example !== undefined)
  const found = differentiate(loss, trained.map(({ tensor }) => tensor), { perExample })
  const gradients: Gradients = new Map(trained.map(({ key }, i) => [key, found[i]]))
  const examples: MicroSums["examples"] = settings.exampleLosses ? { losses: each.loss, weights: each.weight } : {}
  const summed = perExample
    ? sumsOfExamples(contributions, state, gradients, batch.exampleWeight)
    : { gradients, measures: new Map() }
  return { ...summed, loss, weight, examples }
}

/** What contributions make of the gradients of examples, and what they measure, summed over the batch. */
function sumsOfExamples(
  contributions: ReadonlyArray<Contribution>,
  state: StateSlots,
  ofExamples: Gradients,
  exampleWeight: Tensor,
): Pick<Sums, "gradients" | "measures"> {
  const measures = new Map<string, Tensor>()
  const changed = contributions.reduce((before, { id, gradients: own }) => {
    if (own?.example === undefined) return before
    const context = { ...transformContext(id, own), state: slots(state.transforms.get(transformKey(id, "task")) ?? {}) }
    const result = own.example(before, context)
    if (!("measures" in result)) return result
    for (const name of own.measures ?? []) {
      measures.set(measureKey(id, name), batchSum(mul(result.measures[name], exampleWeight)))
    }
    return result.gradients
  }, ofExamples)
  return { gradients: new Map([...changed].map(([key, gradient]) => [key, batchSum(gradient)])), measures }
}

/** An example's mean, which weighs 1; one without terms weighs 0. */
function meanOfTerms({ loss, weight }: ExampleLoss): ExampleLoss {
  const present = less(0, weight)
  return { loss: div(loss, where(present, weight, 1)), weight: where(present, 1, 0) }
}

/** Name of the input with the secret key of a plugin. */
export const secretName = (id: string): string => `secret/${id}`

/** Inputs `step` (from 1), `transform0` and `transform1`, and that of {@link secretName}. */
const transformContext = (id: string, { secret = false }: GradientTransforms): TransformContext => ({
  step: input("step", [], { dtype: "i32" }),
  key: keyInputs("transform"),
  ...(secret ? { secretKey: input(secretName(id), [8], { dtype: "i32" }) } : {}),
})

/** New parameters from the tasks' sums. A task without weight in this step has no part in it. */
function update(settings: StepSettings, state: StateSlots, tasks: ReadonlyMap<string, Sums>): Omit<Graph, "name"> {
  const { trained, contributions, optimizer, maxGradNorm, divisor } = settings
  const updates: Array<readonly [SlotReference, Tensor]> = []
  const transformStates: Array<readonly [SlotReference, Tensor]> = []
  /** Runs the transforms of a stage one after the other. */
  const transform = <G, More>(
    stage: "task" | "total",
    gradients: G,
    moreFor: (contribution: Contribution) => More,
    at: (transforms: GradientTransforms) => StepTransform<G, TransformContext & More> | undefined,
  ): G =>
    contributions.reduce((before, contribution) => {
      const { id, gradients: own = {} } = contribution
      const found = at(own)
      if (found === undefined) return before
      const references = state.transforms.get(transformKey(id, stage)) ?? {}
      const context = { ...transformContext(id, own), ...moreFor(contribution) }
      const current = slots(references)
      const [changed, next] = found.update(before, current, context)
      for (const [name, reference] of Object.entries(references)) {
        if (next[name] !== current[name]) transformStates.push([reference, next[name]])
      }
      return changed
    }, gradients)

  // An empty step divides by 1: its sums are 0, and so is its gradient before transforms add to it.
  const ownDivisors = new Map([...tasks].map(([task, { weight }]) => [task, where(less(0, weight), weight, 1)]))
  const constant = (value: number) => new Map([...tasks.keys()].map((task) => [task, full(value)]))
  const divisors = divisor === undefined ? ownDivisors : constant(divisor)
  const means: ReadonlyMap<string, Gradients> = new Map(
    [...tasks].map(([task, sums]) => [
      task,
      new Map([...sums.gradients].map(([key, gradient]) => [key, div(gradient, divisors.get(task)!)])),
    ]),
  )
  const weights = divisor === undefined ? new Map([...tasks].map(([task, { weight }]) => [task, weight])) : divisors
  const shared = new Set(trained.filter((parameter) => parameter.tasks === undefined).map(({ key }) => key))
  const measuresOf = ({ id, gradients: { measures: names = [] } = {} }: Contribution) =>
    new Map([...tasks].map(([task, { measures }]) => [
      task,
      Object.fromEntries(names.map((name) => [name, measures.get(measureKey(id, name))!])),
    ]))
  const ofTasks = (own: Contribution) => ({ weights, shared, measures: measuresOf(own) })
  const byTask = transform("task", means, ofTasks, ({ task }) => task)

  const shares = taskShares(tasks)
  const gradientShares = divisor === undefined ? shares : constant(1 / tasks.size)
  const over = (parts: ReadonlyMap<string, Tensor>, each: (task: string) => Tensor) =>
    [...tasks.keys()].map((task) => tasks.size === 1 ? each(task) : mul(each(task), parts.get(task)!)).reduce((a, b) =>
      add(a, b)
    )
  const mixed: Gradients = new Map(
    trained.map(({ key }) => [key, over(gradientShares, (task) => byTask.get(task)!.get(key)!)]),
  )
  const parameters = new Map(trained.map(({ key, tensor }) => [key, tensor]))
  let total = transform("total", mixed, () => ({ parameters }), ({ total }) => total)

  const loss = over(shares, (task) => div(tasks.get(task)!.loss, ownDivisors.get(task)!))
  const gradientNorm = globalNorm(total)
  // A step that is not finite changes nothing: the weights stay those of the step before.
  const finite = less(add(abs(loss), gradientNorm), 3e38)
  total = maxGradNorm > 0 ? clipByGlobalNorm(total, gradientNorm, maxGradNorm) : after(total, finite)
  const learningRate = input("learningRate", [])
  const scalars = Object.fromEntries(Object.keys(optimizer.scalars(1)).map((name) => [name, input(name, [])]))
  for (const { key, shape, slot: reference, tensor, learningRateFactor = 1 } of trained) {
    const own = state.optimizer.get(key)!
    const ownContext = {
      learningRate: learningRateFactor === 1 ? learningRate : mul(learningRate, learningRateFactor),
      scalars,
      weightDecay: shape.length > 1 ? settings.weightDecay : 0,
    }
    const next = optimizer.update(tensor, total.get(key)!, slots(own), ownContext)
    updates.push([reference, next.parameter])
    for (const name of Object.keys(own)) updates.push([own[name], next.state[name]])
  }
  const guarded = [...updates, ...transformStates]
    .map(([reference, next]) => [reference, where(finite, next, slot(reference))] as const)
  const weight = [...tasks.values()].map((sums) => sums.weight).reduce((a, b) => add(a, b))
  return { outputs: { loss, weight, gradientNorm }, updates: guarded }
}

/** The same gradients once `verdict` is there, so that each update is one pass, not a draft that waits for it. */
function after(gradients: Gradients, verdict: Tensor): Gradients {
  return new Map([...gradients].map(([key, gradient]) => [key, mul(gradient, verdict)]))
}

/** 1 / (tasks with weight) for each of those and 0 for the others; without any weight at all, all have the same part. */
function taskShares(tasks: ReadonlyMap<string, Sums>): ReadonlyMap<string, Tensor> {
  const present = new Map([...tasks].map(([task, { weight }]) => [task, less(0, weight)]))
  const count = [...present.values()].reduce((a, b) => add(a, b))
  const none = less(count, 1)
  const share = div(1, where(none, tasks.size, max(count, 1)))
  return new Map([...present].map(([task, own]) => [task, mul(where(none, 1, own), share)]))
}

/** Adds one micro-batch to its task's sums. Outputs `losses` and `weights` by example where they are wanted. */
export function accumulateGraph(
  settings: StepSettings,
  state: StateSlots,
  batch: BatchTensors,
  sums: TaskSums,
): Graph {
  const { gradients, loss, weight, measures, examples } = microBatch(settings, state, batch)
  const onto = (reference: SlotReference, more: Tensor) => [reference, add(slot(reference), more)] as const
  return {
    name: "accumulate",
    outputs: examples,
    updates: [
      ...[...gradients].map(([key, gradient]) => onto(sums.gradients.get(key)!, gradient)),
      onto(sums.loss, loss),
      onto(sums.weight, weight),
      ...[...measures].map(([key, measure]) => onto(sums.measures.get(key)!, measure)),
    ],
  }
}

/**
 * Turns the tasks' sums into new parameters, and the sums into zeros. Outputs `loss` (mean over tasks of the mean over
 * a task's weight), `weight` and `gradientNorm` (before clipping), each f32 [].
 */
export function applyGraph(settings: StepSettings, state: StateSlots, tasks: ReadonlyMap<string, TaskSums>): Graph {
  const symbolic = new Map([...tasks].map(([task, sums]) => [task, {
    gradients: new Map([...sums.gradients].map(([key, reference]) => [key, slot(reference)])),
    loss: slot(sums.loss),
    weight: slot(sums.weight),
    measures: new Map([...sums.measures].map(([key, reference]) => [key, slot(reference)])),
  }]))
  const { outputs, updates } = update(settings, state, symbolic)
  const all = [...tasks.values()].flatMap(({ gradients, loss, weight, measures }) => [
    ...gradients.values(),
    loss,
    weight,
    ...measures.values(),
  ])
  return {
    name: "apply",
    outputs,
    updates: [...updates, ...all.map((reference) => [reference, full(0, reference.shape)] as const)],
  }
}

/** A step of one micro-batch: what {@link accumulateGraph} and {@link applyGraph} do, without sums between. */
export function stepGraph(settings: StepSettings, state: StateSlots, batch: BatchTensors): Graph {
  const sums = microBatch(settings, state, batch)
  const { outputs, updates } = update(settings, state, new Map([[batch.task, sums]]))
  return { name: "step", outputs: { ...outputs, ...sums.examples }, updates }
}
