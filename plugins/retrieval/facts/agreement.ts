import { DataError } from "../../../core/data/data_error.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import type { ReportSection } from "../../../core/report/report_section.ts"
import type { Judgement } from "./fact_check.ts"

/** How well texts agree with their evidence. */
export interface Agreement {
  /** Texts. */
  readonly texts: number
  /** Facts that they state, a text. */
  readonly stated: number
  /** Share of the stated facts that the evidence bears out; NaN where none is stated. */
  readonly supported: number
  /** Share of the expected facts that are stated; NaN where none is expected. */
  readonly covered: number
  /** Share of the texts that state nothing without support. */
  readonly faithful: number
  /** Share of the texts that state nothing without support and leave nothing out. */
  readonly exact: number
}

/** A measure of {@link Agreement}. */
export type AgreementMeasure = Exclude<keyof Agreement, "texts">

const isFaithful = ({ unsupported }: Judgement): number => unsupported.length === 0 ? 1 : 0
const isComplete = ({ missing }: Judgement): number => missing.length === 0 ? 1 : 0
const stated = ({ supported, unsupported }: Judgement): number => supported.length + unsupported.length
const expected = ({ covered, missing }: Judgement): number => covered.length + missing.length
const one = (): number => 1

/** Each measure is a ratio of two sums over texts. */
const MEASURES: Readonly<
  Record<AgreementMeasure, readonly [of: (text: Judgement) => number, per: (text: Judgement) => number]>
> = {
  stated: [stated, one],
  supported: [({ supported }) => supported.length, stated],
  covered: [({ covered }) => covered.length, expected],
  faithful: [isFaithful, one],
  exact: [(text) => isFaithful(text) * isComplete(text), one],
}

const NAMES = Object.keys(MEASURES) as ReadonlyArray<AgreementMeasure>

const sum = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

/** How well texts agree with their evidence, over all of them. */
export function agreement(judgements: ReadonlyArray<Judgement>): Agreement {
  const shares = NAMES.map((name) => {
    const [of, per] = MEASURES[name]
    return [name, sum(judgements.map(of)) / sum(judgements.map(per))]
  })
  return { texts: judgements.length, ...Object.fromEntries(shares) as Record<AgreementMeasure, number> }
}

/** A measure before and after a training. */
export interface Drift {
  /** Which one. */
  readonly measure: AgreementMeasure
  /** Before. */
  readonly before: number
  /** After. */
  readonly after: number
  /** Ends of the interval that has the change with a probability of 95 %, by the paired bootstrap over texts. */
  readonly interval: readonly [low: number, high: number]
}

/** Samples of the bootstrap. */
const SAMPLES = 1000

/**
 * How agreement changed from one set of answers to another to the same questions, in the same order.
 *
 * @throws DataError `BadInput` where the numbers of answers differ, or there are none.
 */
export function drift(
  before: ReadonlyArray<Judgement>,
  after: ReadonlyArray<Judgement>,
  seed = 0,
): ReadonlyArray<Drift> {
  if (before.length !== after.length || before.length === 0) {
    const message = `drift compares two answers to each question, of at least one: got ${before.length} before and ` +
      `${after.length} after`
    throw new DataError({ reason: "BadInput", message })
  }
  const rng = makeRng(seed)
  const draws = Array.from({ length: SAMPLES }, () => before.map(() => rng.int(before.length)))
  const [first, last] = [agreement(before), agreement(after)]
  return NAMES.map((measure) => {
    const ratios = [before, after].map((texts) => {
      const [tops, bottoms] = MEASURES[measure].map((of) => texts.map(of))
      return (rows: ReadonlyArray<number>) => sum(rows.map((i) => tops[i])) / sum(rows.map((i) => bottoms[i]))
    })
    const changes = draws.map((rows) => ratios[1](rows) - ratios[0](rows)).filter(Number.isFinite).sort((a, b) => a - b)
    const at = (share: number) => changes[Math.min(changes.length - 1, Math.floor(share * changes.length))] ?? NaN
    return { measure, before: first[measure], after: last[measure], interval: [at(0.025), at(0.975)] as const }
  })
}

const WORDS: Readonly<Record<AgreementMeasure, string>> = {
  stated: "Facts stated, a text",
  supported: "Stated facts with support",
  covered: "Expected facts stated",
  faithful: "Texts without an unsupported fact",
  exact: "Texts with all facts and no other",
}

const shown = (measure: AgreementMeasure, value: number): string =>
  !Number.isFinite(value) ? "–" : measure === "stated" ? value.toFixed(2) : `${(100 * value).toFixed(1)} %`

/** Drift as a section of a report. */
export function driftSection(
  title: string,
  before: ReadonlyArray<Judgement>,
  after: ReadonlyArray<Judgement>,
): ReportSection {
  return {
    title,
    text:
      `${before.length} answers, judged by patterns and arithmetic, not by a model; the interval has the change with a ` +
      "probability of 95 % (paired bootstrap).",
    table: {
      head: ["", "Before", "After", "Change"],
      rows: drift(before, after).map(({ measure, before, after, interval: [low, high] }) => [
        WORDS[measure],
        shown(measure, before),
        shown(measure, after),
        `${shown(measure, low)} to ${shown(measure, high)}`,
      ]),
    },
  }
}
