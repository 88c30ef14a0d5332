import { assertEquals } from "@std/assert"
import type { Program } from "../../../core/graph/program.ts"
import { chromeTrace, profileGroups, profileTable, type StepTrace } from "../../../core/report/profile.ts"
import type { BuiltinCall as Call } from "../../../kernels/builtin.ts"
import { view } from "../../kernels/compare.ts"

const product: Call = {
  kernel: "matmul",
  a: view(0, [100, 50]),
  b: view(1, [50, 200]),
  output: view(2, [100, 200]),
}
const move: Call = { kernel: "gather", table: view(0, [9, 4]), indices: view(1, [5]), output: view(2, [5, 4]) }
const program = (name: string, calls: ReadonlyArray<Call>): Program => ({ name, buffers: [], calls, outputs: [] })

const trace: StepTrace = {
  step: 10,
  milliseconds: 10,
  runsBefore: 3,
  runs: [
    {
      program: program("accumulate", [move, product]),
      start: 0.5,
      times: [
        { call: 0, thread: 0, start: 0, end: 1 },
        { call: 0, thread: 1, start: 0.25, end: 0.5 },
        { call: 1, thread: 0, start: 1, end: 4 },
        { call: 1, thread: 1, start: 1.5, end: 4.5 },
      ],
    },
    {
      program: program("apply", [product]),
      start: 6,
      times: [{ call: 0, thread: 0, start: 0.5, end: 1 }, { call: 0, thread: 1, start: 0, end: 0.5 }],
    },
  ],
}

Deno.test("profile: calls of one kernel and shape together, from their first thread's beginning to the last one's end", () => {
  const [first, second] = profileGroups(trace)
  assertEquals(first, {
    kernel: "matmul",
    shapes: "[100,50] x [50,200]",
    calls: 2,
    milliseconds: 4.5,
    flops: 4e6,
    bytes: 2 * 4 * (5000 + 10000 + 20000),
  })
  assertEquals([second.kernel, second.calls, second.milliseconds, second.flops], ["gather", 1, 1, 0])
})

Deno.test("profile: the table adds up to the step", () => {
  assertEquals(
    profileTable(trace),
    `step 10, 3 calls, each timed
kernel       shapes               calls      ms    share  GFLOP/s  GB/s
matmul       [100,50] x [50,200]      2   4.500   45.0 %     0.89  0.06
gather       [9,4] at [5]             1   1.000   10.0 %     0.00  0.00
all kernels                           3   5.500   55.0 %     0.73  0.05
the rest                                  4.500   45.0 %
step                                     10.000  100.0 %`,
  )
})

Deno.test("profile: the trace has an event for each call and thread, and one for each run", () => {
  const { traceEvents } = JSON.parse(JSON.stringify(chromeTrace(trace)))
  const names = traceEvents.filter(({ ph }: { ph: string }) => ph === "M")
  assertEquals(
    names.map(({ tid, args }: { tid: number; args: { name: string } }) => `${tid} ${args.name}`),
    ["0 step 10", "0 programs", "1 thread 0", "2 thread 1"],
  )
  const spans = traceEvents.filter(({ ph }: { ph: string }) => ph === "X")
  assertEquals(spans.filter(({ cat }: { cat: string }) => cat === "call").length, 6)
  const { name, ts, dur, tid, args } = spans.at(-1)
  assertEquals([name, ts, dur, tid], ["matmul", 6000, 500, 2])
  assertEquals(args, { call: 0, shapes: "[100,50] x [50,200]", flops: 2e6, bytes: 140000 })
  const runs = spans.filter(({ cat }: { cat: string }) => cat === "program")
  assertEquals(runs.map(({ name, ts, dur }: { name: string; ts: number; dur: number }) => [name, ts, dur]), [
    ["accumulate", 500, 5500],
    ["apply", 6000, 4000],
  ])
})
