/**
 * Whether a written model answers as the one that it was written from.
 * @module
 */
import * as ops from "../../../tensor/ops.ts"
import { inBackend } from "../../../backend/in_backend.ts"
import type * as Effect from "effect/Effect"
import type { BackendError } from "../../../backend/backend_error.ts"
import { ready } from "../../../backend/ready.ts"
import type { Model } from "../../model.ts"
import type { SelfCheck, Tolerance } from "./check_figures.ts"
import { ExportError } from "./export_error.ts"

/** Logits of each prompt. */
export type Answers = ReadonlyArray<Float32Array>

/** What a model answers to prompts, as it is. All run through one program, at the length of the longest. */
export function answersOf(
  model: Model,
  prompts: ReadonlyArray<Int32Array>,
): Effect.Effect<Answers, BackendError> {
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 1)
  return inBackend(async () => {
    const batch = {
      tokens: ops.input("tokens", [1, longest], { dtype: "i32" }),
      lengths: ops.input("lengths", [1], { dtype: "i32" }),
      fields: {},
      exampleWeight: ops.full(1, [1]),
      task: "",
    }
    const { logits } = model.forward(batch, { training: false })
    const program = await ready(model.backend, { name: `answer ${longest} tokens`, outputs: { logits }, updates: [] })
    try {
      const answers: Float32Array[] = []
      for (const prompt of prompts) {
        const tokens = new Int32Array(longest)
        tokens.set(prompt)
        const { logits: all } = await program.run({ tokens, lengths: Int32Array.of(prompt.length) })
        const own = model.task.head.kind === "sequence" ? all.length : all.length / longest * prompt.length
        answers.push((all as Float32Array).slice(0, own))
      }
      return answers
    } finally {
      program.dispose()
    }
  })
}

/** Compares answers to the same prompts. */
export function compareAnswers(
  { task, network }: Model,
  prompts: ReadonlyArray<Int32Array>,
  before: Answers,
  after: Answers,
  tolerance: Tolerance,
): SelfCheck {
  const { head } = task
  const size = head.kind === "vocabulary" ? network.vocabSize : head.size
  const isCausal = head.kind === "vocabulary" && head.attention === "causal"
  let logits = 0, positions = 0, agreeing = 0, terms = 0
  const losses = [0, 0]
  prompts.forEach((prompt, i) => {
    const [own, other] = [before[i], after[i]]
    own.forEach((x, at) => logits = larger(logits, Math.abs(x - other[at])))
    for (let at = 0; at < own.length; at += size) {
      const [a, b] = [own, other].map((all) => all.subarray(at, at + size))
      positions++
      if (likeliest(a) === likeliest(b)) agreeing++
      const next = prompt[at / size + 1]
      if (!isCausal || next === undefined) continue
      terms++
      losses[0] += surprise(a, next)
      losses[1] += surprise(b, next)
    }
  })
  const [first, second] = losses.map((loss) => Math.exp(loss / terms))
  return {
    positions,
    logits,
    agreement: agreeing / positions,
    ...(terms === 0 ? {} : { perplexity: { before: first, after: second } }),
    tolerance,
  }
}

/** Fails where a check is beyond its tolerance. NaN is. */
export function judge(check: SelfCheck, path: string): ExportError | undefined {
  const { logits, agreement, perplexity, tolerance } = check
  const faults = [
    ...(logits <= tolerance.logits
      ? []
      : [`logits differ by up to ${figure(logits)} (${tolerance.logits} is allowed)`]),
    ...(agreement >= tolerance.agreement ? [] : [
      `the likeliest token is the same at ${percent(agreement)} of positions (${
        percent(tolerance.agreement)
      } is required)`,
    ]),
    ...(perplexity === undefined || perplexity.after <= perplexity.before * tolerance.perplexity ? [] : [
      `the perplexity goes from ${figure(perplexity.before)} to ${figure(perplexity.after)} ` +
      `(a factor of ${tolerance.perplexity} is allowed)`,
    ]),
  ]
  if (faults.length === 0) return undefined
  const message =
    `"${path}" was not written: what would be in it answers otherwise than the model: ${faults.join("; ")}; ` +
    "choose a type with more bits, or a wider tolerance"
  return new ExportError({ reason: "Inexact", check, message })
}

/** A check as one line. */
export function checkLine({ positions, logits, agreement, perplexity }: SelfCheck): string {
  const words = perplexity === undefined
    ? ""
    : `, perplexity ${figure(perplexity.before)} before, ${figure(perplexity.after)} after`
  return `logits differ by up to ${figure(logits)}, same likeliest at ${
    percent(agreement)
  } of ${positions} positions${words}`
}

const figure = (x: number): string => x.toPrecision(4)
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`

/** The larger of two; NaN if one is. */
const larger = (a: number, b: number): number => b > a || Number.isNaN(b) ? b : a

function likeliest(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id
  return best
}

/** Negative logarithm of the probability of one of the logits. */
function surprise(logits: Float32Array, id: number): number {
  const top = logits.reduce((most, x) => Math.max(most, x))
  return top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)) - logits[id]
}
