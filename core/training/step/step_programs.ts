import type { BackendService, CallTime, Executable, RunData } from "../../backend/backend.ts"
import { type Ready, ready } from "../../backend/ready.ts"
import { batchData, batchInputs, packedInputs, shapeName } from "../../data/batches/batch_inputs.ts"
import type { Batch } from "../../data/batches/batches.ts"
import type { Graph } from "../../graph/build.ts"
import type { StepTrace, TracedRun } from "../../report/profile.ts"
import { accumulateGraph, applyGraph, stepGraph, type StepSettings } from "./step_graphs.ts"
import type { StepSlots } from "./step_slots.ts"

/** What a step's programs are run with. */
export interface StepRun {
  /** From 1. */
  readonly step: number
  readonly batches: ReadonlyArray<Batch>
  /** Inputs of the whole step. */
  readonly common: RunData
  /** Inputs of a micro-batch by number, beside its arrays. */
  readonly own: (microBatch: number) => RunData
  readonly trace: boolean
}

/** What a step's programs give. */
export interface StepOutputs {
  /** Outputs of each program: of the micro-batches in their order, then of the update where that is one of its own. */
  readonly outputs: ReadonlyArray<Awaited<ReturnType<Executable["run"]>>>
  readonly trace?: StepTrace
}

/** Programs of a session. They are compiled when their shape first comes. */
export interface StepPrograms {
  /** Hands all runs of a step to the backend, whole or not at all; then resolves with a promise of what they give. */
  readonly post: (run: StepRun) => Promise<{ readonly result: Promise<StepOutputs> }>
  readonly dispose: () => void
}

/** A program whose calls are timed. */
interface Timed extends Ready {
  /** Of the last run. */
  times: ReadonlyArray<CallTime>
  runs: number
}

interface Part {
  readonly name: string
  readonly graph: () => Graph
}

/** Makes the programs of a session over its slots. */
export function makeStepPrograms(
  backend: BackendService,
  settings: StepSettings,
  slots: StepSlots,
  tasks: ReadonlyArray<string>,
): StepPrograms {
  const ordinary = new Map<string, Promise<Ready>>(), timed = new Map<string, Promise<Timed>>()
  const compiled = <A>(
    programs: Map<string, Promise<A>>,
    parts: ReadonlyArray<Part>,
    make: (graph: Graph) => Promise<A>,
  ) =>
    Promise.all(parts.map(({ name, graph }) => {
      const program = programs.get(name) ?? make(graph())
      programs.set(name, program)
      return program
    }))
  const release = (programs: Map<string, Promise<Ready>>) => {
    for (const made of programs.values()) made.then((part) => part.dispose(), () => {})
    programs.clear()
  }
  const onBatch = (kind: "step" | "accumulate", given: Batch): Part => ({
    name: `${kind}/${given.task}/${shapeName(given)}${given.packed === undefined ? "" : ` of ${given.lengths.length}`}`,
    graph: () => {
      const { task, shape: [rows, length], targetLength, lengths, packed } = given
      const batch = packed === undefined
        ? batchInputs(task, rows, length, settings.specOf(task), targetLength)
        : packedInputs(task, lengths.length, length, packed.longest, settings.specOf(task))
      return kind === "step"
        ? stepGraph(settings, slots.state, batch)
        : accumulateGraph(settings, slots.state, batch, slots.sums().get(task)!)
    },
  })
  const post: StepPrograms["post"] = async ({ step, batches, common, own, trace }) => {
    const fused = batches.length === 1 && tasks.length === 1
    const parts = batches.map((batch) => onBatch(fused ? "step" : "accumulate", batch))
    if (!fused) parts.push({ name: "apply", graph: () => applyGraph(settings, slots.state, slots.sums()) })
    const inputs = parts.map((_, i) => i < batches.length ? { ...common, ...batchData(batches[i]), ...own(i) } : common)
    if (trace) {
      const programs = await compiled(timed, parts, (graph) => readyTimed(backend, graph))
      return { result: Promise.resolve(await runTimed(step, programs, inputs)) }
    }
    release(timed)
    const programs = await compiled(ordinary, parts, (graph) => ready(backend, graph))
    const result = Promise.all(programs.map((program, i) => program.run(inputs[i]))).then((outputs) => ({ outputs }))
    // It is awaited later; until then a failure is not an unhandled rejection.
    result.catch(() => {})
    return { result }
  }
  return {
    post,
    dispose: () => {
      release(ordinary)
      release(timed)
    },
  }
}

async function readyTimed(backend: BackendService, graph: Graph): Promise<Timed> {
  const program: Timed = {
    ...await ready(backend, graph, { trace: (times) => program.times = times }),
    times: [],
    runs: 0,
  }
  return program
}

/** Runs programs one at a time. */
async function runTimed(
  step: number,
  programs: ReadonlyArray<Timed>,
  inputs: ReadonlyArray<RunData>,
): Promise<StepOutputs> {
  const runs: TracedRun[] = []
  const runsBefore = Math.min(...programs.map(({ runs }) => runs))
  const outputs: Array<Awaited<ReturnType<Executable["run"]>>> = []
  const began = performance.now()
  for (const [i, timed] of programs.entries()) {
    const start = performance.now() - began
    outputs.push(await timed.run(inputs[i]))
    timed.runs++
    runs.push({ program: timed.program, start, times: timed.times })
  }
  return { outputs, trace: { step, milliseconds: performance.now() - began, runsBefore, runs } }
}
