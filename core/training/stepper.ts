import type { BackendService, CallTime, Executable, RunData, Slot } from "../backend/backend.ts"
import { type Ready, ready } from "../backend/ready.ts"
import type { StateSpec } from "../contracts/gradient_transform.ts"
import type { Batch } from "../data/batches.ts"
import type { Graph } from "../graph/build.ts"
import { threefry2x32 } from "../tensor/threefry.ts"
import type { StepTrace, TracedRun } from "./profile.ts"
import {
  accumulateGraph,
  applyGraph,
  batchInputs,
  packedInputs,
  type StateSlots,
  stepGraph,
  type StepSettings,
  type TaskSums,
  transformKey,
} from "./step_graphs.ts"

/** What a step was. */
export interface StepResult {
  /** Mean loss; 0 for an empty step. */
  readonly loss: number
  /** Number of terms in the loss: unmasked tokens or examples. */
  readonly weight: number
  /** Global L2 norm of the gradient before clipping. */
  readonly gradientNorm: number
  /** Times of its calls, where they were asked for. */
  readonly trace?: StepTrace
}

/** One step to take. */
export interface StepRequest {
  /** From 1. */
  readonly step: number
  readonly learningRate: number
  readonly batches: ReadonlyArray<Batch>
  /** Times each call. Such a step is over when its posting resolves; its results are the same. Default: no. */
  readonly trace?: boolean
}

/** A slot that lies in checkpoints, under a name that stays the same from run to run. */
export interface NamedSlot {
  readonly name: string
  readonly slot: Slot
}

/** Runs steps. */
export interface Stepper {
  /**
   * Hands all runs of a step to the backend; resolves when they are handed over, with a promise of the result. Steps
   * follow each other in the order of posting.
   */
  readonly post: (request: StepRequest) => Promise<{ readonly result: Promise<StepResult> }>
  /** The optimizer's and the transforms' state. Sums are not among it: between steps they are zero. */
  readonly state: ReadonlyArray<NamedSlot>
  /** Frees all memory but the model's. */
  readonly dispose: () => void
}

/** Purposes that random keys are derived for. */
const DROPOUT = 1, TRANSFORM = 2

/** Micro-batches of a step that have dropout masks of their own. */
const MASKS = 4096

/** A program whose calls are timed. */
interface Timed extends Ready {
  /** Of the last run. */
  times: ReadonlyArray<CallTime>
  runs: number
}

async function readyTimed(backend: BackendService, graph: Graph): Promise<Timed> {
  const part: Timed = {
    ...await ready(backend, graph, { trace: (times) => part.times = times }),
    times: [],
    runs: 0,
  }
  return part
}

/** A batch as inputs of the graphs. */
export function batchData(batch: Batch): RunData {
  const { tokens, lengths, exampleWeight, targets, labels, packed } = batch
  const common = { tokens, lengths, exampleWeight, labels: (targets ?? labels)! }
  if (packed === undefined) return common
  const { positions, segments, first, last } = packed
  return { ...common, positions, segments, first, last }
}

/**
 * Makes the slots of a run; programs are compiled when their shape first comes.
 *
 * @param seed Of dropout and of the transforms' random numbers.
 * @param tasks Names of all tasks.
 */
export function makeStepper(
  backend: BackendService,
  settings: StepSettings,
  { seed, tasks }: { readonly seed: number; readonly tasks: ReadonlyArray<string> },
): Stepper {
  const { trained, contributions, optimizer } = settings
  const allocated: Slot[] = []
  const state: NamedSlot[] = []
  const allocate = (name: string, shape: ReadonlyArray<number>) => {
    const slot = backend.allocate(name, shape)
    allocated.push(slot)
    return slot
  }
  const keep = (prefix: string, spec: StateSpec) =>
    Object.fromEntries(
      Object.entries(spec).map(([own, { shape }]) => {
        const name = `${prefix}/${own}`
        const slot = allocate(name, shape)
        state.push({ name, slot })
        return [own, slot]
      }),
    )
  const slots: StateSlots = {
    optimizer: new Map(trained.map(({ key, shape }) => [key, keep(`optimizer/${key}`, optimizer.state(shape))])),
    transforms: new Map(
      contributions.flatMap(({ id, gradients }) =>
        (["task", "total"] as const).map((stage) => {
          const key = transformKey(id, stage)
          return [key, keep(`transform/${key}`, gradients?.[stage]?.init?.(trained) ?? {})] as const
        })
      ),
    ),
  }

  let sums: ReadonlyMap<string, TaskSums> | undefined
  /** Most runs never need sums: their memory is taken when a step first does. */
  const taskSums = () =>
    sums ??= new Map(tasks.map((task) => [task, {
      gradients: new Map(trained.map(({ key, shape }) => [key, allocate(`sum/${task}/${key}`, shape)])),
      loss: allocate(`sum/${task}/loss`, []),
      weight: allocate(`sum/${task}/weight`, []),
    }]))

  const ordinary = new Map<string, Promise<Ready>>(), timed = new Map<string, Promise<Timed>>()
  const remembered = <A>(programs: Map<string, Promise<A>>, name: string, make: () => Promise<A>) => {
    const found = programs.get(name) ?? make()
    programs.set(name, found)
    return found
  }
  const release = (programs: Map<string, Promise<Ready>>) => {
    for (const made of programs.values()) made.then((part) => part.dispose(), () => {})
    programs.clear()
  }
  const onBatch = (kind: "step" | "accumulate", { task, shape: [rows, length], lengths, packed }: Batch) => ({
    name: `${kind}/${task}/${rows}x${length}${packed === undefined ? "" : ` of ${lengths.length}`}`,
    graph: () => {
      const batch = packed === undefined
        ? batchInputs(task, rows, length, settings.labels)
        : packedInputs(task, lengths.length, length, packed.longest, settings.labels)
      return kind === "step"
        ? stepGraph(settings, slots, batch)
        : accumulateGraph(settings, batch, taskSums().get(task)!)
    },
  })
  /** Runs programs one at a time. */
  const runTimed = async (step: number, parts: ReadonlyArray<Timed>, inputs: ReadonlyArray<RunData>) => {
    const runs: TracedRun[] = []
    const runsBefore = Math.min(...parts.map(({ runs }) => runs))
    const outputs: Awaited<ReturnType<Executable["run"]>>[] = []
    const began = performance.now()
    for (const [i, part] of parts.entries()) {
      const start = performance.now() - began
      outputs.push(await part.run(inputs[i]))
      part.runs++
      runs.push({ program: part.program, start, times: part.times })
    }
    return { outputs, trace: { step, milliseconds: performance.now() - began, runsBefore, runs } }
  }

  const key = (name: string, purpose: number, counter: number): RunData => {
    const [key0, key1] = threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32), purpose, counter)
    return { [`${name}0`]: Int32Array.of(key0), [`${name}1`]: Int32Array.of(key1) }
  }
  const post: Stepper["post"] = async ({ step, learningRate, batches, trace = false }) => {
    const scalars = Object.entries(optimizer.scalars(step)).map(([name, value]) => [name, Float32Array.of(value)])
    const common: RunData = {
      step: Int32Array.of(step),
      learningRate: Float32Array.of(learningRate),
      ...Object.fromEntries(scalars),
      ...key("transform", TRANSFORM, step),
    }
    const data = batches.map((batch, i) => ({
      ...common,
      ...batchData(batch),
      ...key("dropout", DROPOUT, step * MASKS + i),
    }))
    // All that has to be waited for comes first: a step is handed over whole or not at all.
    const fused = batches.length === 1 && tasks.length === 1
    const made = batches.map((batch) => onBatch(fused ? "step" : "accumulate", batch))
    if (!fused) made.push({ name: "apply", graph: () => applyGraph(settings, slots, taskSums()) })
    const inputs = made.map((_, i) => data[i] ?? common)
    const resultOf = (outputs: Awaited<ReturnType<Executable["run"]>>[]): StepResult => {
      const { loss, weight, gradientNorm } = outputs.at(-1)!
      return { loss: loss[0], weight: weight[0], gradientNorm: gradientNorm[0] }
    }
    if (trace) {
      const parts = await Promise.all(
        made.map(({ name, graph }) => remembered(timed, name, () => readyTimed(backend, graph()))),
      )
      const { outputs, trace } = await runTimed(step, parts, inputs)
      return { result: Promise.resolve({ ...resultOf(outputs), trace }) }
    }
    release(timed)
    const parts = await Promise.all(
      made.map(({ name, graph }) => remembered(ordinary, name, () => ready(backend, graph()))),
    )
    const result = Promise.all(parts.map((part, i) => part.run(inputs[i]))).then(resultOf)
    // Whoever waits for it later gets the error; until then it is not an unhandled one.
    result.catch(() => {})
    return { result }
  }
  const dispose = () => {
    release(ordinary)
    release(timed)
    allocated.forEach(backend.free)
  }
  return { post, state, dispose }
}
