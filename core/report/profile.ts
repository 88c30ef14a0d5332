/**
 * Reports of a traced step: a table by kernel, and a trace for chrome://tracing and Perfetto.
 * @module
 */
import type { CallTime } from "../backend/backend.ts"
import type { Program } from "../graph/program.ts"
import { kernelOf } from "../../kernels/builtin.ts"
import { workOf } from "../graph/work.ts"

/** One run of a program with the times of its calls. */
export interface TracedRun {
  /** The program. */
  readonly program: Program
  /** Milliseconds from the start of the step. */
  readonly start: number
  /** Times of the calls, from the start of the run. */
  readonly times: ReadonlyArray<CallTime>
}

/** Times of the calls of a step. */
export interface StepTrace {
  /** Number of the step, from 1. */
  readonly step: number
  /** Milliseconds from posting the first run to the last result. */
  readonly milliseconds: number
  /** Earlier runs of the program with the fewest: the first ones are slow. */
  readonly runsBefore: number
  /** Runs in order. */
  readonly runs: ReadonlyArray<TracedRun>
}

/** Calls of one kernel and shape. */
export interface ProfileGroup {
  /** Name of the kernel. */
  readonly kernel: string
  /** Shapes of its operands. */
  readonly shapes: string
  /** Number of calls. */
  readonly calls: number
  /** Time from the start of the first thread to the end of the last, summed over the calls. */
  readonly milliseconds: number
  /** Arithmetic operations of all calls. */
  readonly flops: number
  /** Minimum memory traffic of all calls. */
  readonly bytes: number
}

/** Groups of calls, slowest first. */
export function profileGroups({ runs }: StepTrace): ReadonlyArray<ProfileGroup> {
  const groups = new Map<string, ProfileGroup>()
  for (const { program, times } of runs) {
    const spans = new Map<number, { start: number; end: number }>()
    for (const { call, start, end } of times) {
      const { start: first, end: last } = spans.get(call) ?? { start, end }
      spans.set(call, { start: Math.min(first, start), end: Math.max(last, end) })
    }
    for (const [number, { start, end }] of spans) {
      const call = program.calls[number]
      const { kernel } = call
      const shapes = kernelOf(call, program.kernels).shapes(call)
      const work = workOf(call, program.buffers, program)
      const key = `${kernel} ${shapes}`
      const before = groups.get(key) ?? { calls: 0, milliseconds: 0, flops: 0, bytes: 0 }
      groups.set(key, {
        kernel,
        shapes,
        calls: before.calls + 1,
        milliseconds: before.milliseconds + end - start,
        flops: before.flops + work.flops,
        bytes: before.bytes + work.bytes,
      })
    }
  }
  return [...groups.values()].sort((a, b) => b.milliseconds - a.milliseconds)
}

/**
 * A step as a text table: a line for each kernel and shape with time, rates and share of the step; the sum of the kernels;
 * and the rest, which is synchronization and transfers.
 */
export function profileTable(trace: StepTrace): string {
  const { step, milliseconds } = trace
  const groups = profileGroups(trace)
  const sum = (of: (group: ProfileGroup) => number) => groups.reduce((total, group) => total + of(group), 0)
  const inKernels = sum(({ milliseconds }) => milliseconds)
  const rate = (amount: number, time: number) => time === 0 ? "" : (amount / time / 1e6).toFixed(2)
  const row = (name: string, shapes: string, calls: number, time: number, flops: number, bytes: number) => [
    name,
    shapes,
    `${calls}`,
    time.toFixed(3),
    `${(100 * time / milliseconds).toFixed(1)} %`,
    rate(flops, time),
    rate(bytes, time),
  ]
  const calls = sum(({ calls }) => calls)
  const rest = milliseconds - inKernels
  const lines = [
    ["kernel", "shapes", "calls", "ms", "share", "GFLOP/s", "GB/s"],
    ...groups.map(({ kernel, shapes, calls, milliseconds, flops, bytes }) =>
      row(kernel, shapes, calls, milliseconds, flops, bytes)
    ),
    row("all kernels", "", calls, inKernels, sum(({ flops }) => flops), sum(({ bytes }) => bytes)),
    ["the rest", "", "", rest.toFixed(3), `${(100 * rest / milliseconds).toFixed(1)} %`, "", ""],
    ["step", "", "", milliseconds.toFixed(3), "100.0 %", "", ""],
  ]
  const widths = lines[0].map((_, column) => Math.max(...lines.map((cells) => cells[column].length)))
  const spelled = lines.map((cells) =>
    cells.map((cell, column) => column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])).join("  ")
      .trimEnd()
  )
  return [`step ${step}, ${calls} calls, each timed`, ...spelled].join("\n")
}

/** One entry of a {@link ChromeTrace}. */
export interface ChromeEvent {
  /** Label. */
  readonly name: string
  /** Category. */
  readonly cat?: string
  /** `X`: a span. `M`: a name. */
  readonly ph: "X" | "M"
  /** Process. */
  readonly pid: number
  /** Thread. */
  readonly tid: number
  /** Microseconds from the start of the step. */
  readonly ts?: number
  /** Duration in microseconds. */
  readonly dur?: number
  /** Details of the selected entry. */
  readonly args: Readonly<Record<string, string | number>>
}

/** Trace Event Format, read by chrome://tracing and Perfetto. */
export interface ChromeTrace {
  /** Display unit. */
  readonly displayTimeUnit: "ms"
  /** Entries in any order. */
  readonly traceEvents: ReadonlyArray<ChromeEvent>
}

/** A step as events: a row of programs, and below it a row of calls for each thread. */
export function chromeTrace({ step, milliseconds, runs }: StepTrace): ChromeTrace {
  const named = (kind: "process_name" | "thread_name", tid: number, name: string): ChromeEvent => ({
    name: kind,
    ph: "M",
    pid: 1,
    tid,
    args: { name },
  })
  const span = (name: string, cat: string, tid: number, start: number, end: number, args: ChromeEvent["args"]) => ({
    name,
    cat,
    ph: "X" as const,
    pid: 1,
    tid,
    ts: 1000 * start,
    dur: 1000 * (end - start),
    args,
  })
  const threads = [...new Set(runs.flatMap(({ times }) => times.map(({ thread }) => thread)))]
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      named("process_name", 0, `step ${step}`),
      named("thread_name", 0, "programs"),
      ...threads.map((thread) => named("thread_name", thread + 1, `thread ${thread}`)),
      ...runs.flatMap(({ program, start, times }, i) => [
        span(program.name, "program", 0, start, runs[i + 1]?.start ?? milliseconds, { calls: program.calls.length }),
        ...times.map(({ call: number, thread, start: began, end }) => {
          const call = program.calls[number]
          const { buffers, kernels } = program
          const shapes = kernelOf(call, kernels).shapes(call)
          const args = { call: number, shapes, ...workOf(call, buffers, program) }
          return span(call.kernel, "call", thread + 1, start + began, start + end, args)
        }),
      ]),
    ],
  }
}
