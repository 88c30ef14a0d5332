import { assert, assertEquals } from "@std/assert"
import type { TrainEvent } from "../../../core/contracts/train_event.ts"
import { showProgress } from "../../../core/report/progress.ts"

const totalSteps = 40

const step = (number: number): TrainEvent => ({
  type: "step",
  step: number,
  totalSteps,
  epoch: number / totalSteps,
  loss: 1 / number,
  learningRate: 0.1,
  gradientNorm: 1,
  tokens: 100,
  tokensPerSecond: 12_345.6,
  seconds: number,
  secondsLeft: totalSteps - number,
})
const start: TrainEvent = {
  type: "start",
  model: "m",
  methods: [],
  backend: "wasm",
  trainableParameters: 10,
  totalParameters: 40,
  trainExamples: 5000,
  totalSteps,
}
const stop: TrainEvent = { type: "stop", step: 40, reason: "early-stopping", seconds: 61, bestStep: 30 }
const evaluation: TrainEvent = {
  type: "evaluation",
  step: 10,
  split: "validation",
  metrics: { loss: 0.25, macroF1: 1 / 3 },
}

/** All that is written while steps of `milliseconds` each go by. */
function record(isTerminal: boolean, columns: number, milliseconds: number, events: Array<TrainEvent>): Array<string> {
  const written: Array<string> = []
  let time = 0
  const show = showProgress({ isTerminal, columns, write: (text) => written.push(text), now: () => time })
  for (const event of events) {
    if (event.type === "step") time += milliseconds
    show(event)
  }
  return written
}
const steps = Array.from({ length: totalSteps }, (_, index) => step(index + 1))

Deno.test("plain lines come at each tenth of a quick run", () => {
  const lines = record(false, 80, 10, [start, ...steps, stop])
  assertEquals(
    lines[0],
    "trainable params: 10 || all params: 40 || trainable%: 25.0000\n40 steps over 5,000 examples\n",
  )
  const shown = lines.slice(1, -1).map((line) => Number(/^step (\d+)\//.exec(line)?.[1]))
  assertEquals(shown, [1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40])
  assertEquals(lines.at(-1), "early-stopping after step 40 in 1:01, with the weights of step 30\n")
  assertEquals(lines[2], "step 4/40  loss 0.2500  12,346 tokens/s  0:36 left\n")
})

Deno.test("plain lines of a slow run come every ten seconds and at each tenth", () => {
  const shown = record(false, 80, 5_000, steps).map((line) => Number(/^step (\d+)\//.exec(line)?.[1]))
  assertEquals(shown, [1, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40])
  assert(record(false, 80, 5_000, steps).every((text) => !text.includes("\x1b")))
})

Deno.test("a terminal has one line that is drawn anew and never wraps", () => {
  for (const columns of [20, 40, 60, 80, 200]) {
    const drawn = record(true, columns, 1_000, steps)
    assertEquals(drawn.length, totalSteps)
    for (const text of drawn) {
      assert(text.startsWith("\r\x1b[2K") && !text.includes("\n"))
      assert(text.slice(5).length < columns, text)
    }
  }
  assert(record(true, 120, 1_000, steps)[19].includes(`${"█".repeat(15)}${"░".repeat(15)}  step 20/40`))
  assertEquals(record(true, 80, 30, steps).length, 11, "drawn at most ten times a second, and at the last step")
})

Deno.test("on a terminal other events stand above the bar, and the end below it", () => {
  const [bar, said, end] = record(true, 100, 1_000, [step(10), evaluation, stop])
  assertEquals(said, `\r\x1b[2Kvalidation after step 10: loss 0.2500  macroF1 0.3333\n${bar.slice(5)}`)
  assert(end.startsWith("\nearly-stopping"))
  assertEquals(record(true, 100, 1, [{ type: "checkpoint", step: 1, path: "p" }]), [])
  assertEquals(record(true, 100, 1, [{ type: "message", level: "warning", text: "x" }]), ["warning: x\n"])
})
