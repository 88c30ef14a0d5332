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

const sumOf = (judgements: ReadonlyArray<Judgement>, of: (one: Judgement) => number): number =>
  judgements.reduce((sum, one) => sum + of(one), 0)

const isFaithful = ({ unsupported }: Judgement): boolean => unsupported.length === 0

const MEASURES: Readonly<Record<AgreementMeasure, (judgements: ReadonlyArray<Judgement>) => number>> = {
  stated: (all) => sumOf(all, statedBy) / all.length,
  supported: (all) => sumOf(all, ({ supported }) => supported.length) / sumOf(all, statedBy),
  covered: (all) =>
    sumOf(all, ({ covered }) => covered.length) /
    sumOf(all, ({ covered, missing }) => covered.length + missing.length),
  faithful: (all) => all.filter(isFaithful).length / all.length,
  exact: (all) => all.filter((one) => isFaithful(one) && one.missing.length === 0).length / all.length,
}

function statedBy({ supported, unsupported }: Judgement): number {
  return supported.length + unsupported.length
}

/** How well texts agree with their evidence, over all of them. */
export function agreement(judgements: ReadonlyArray<Judgement>): Agreement {
  const values = Object.entries(MEASURES).map(([name, of]) => [name, of(judgements)])
  return { texts: judgements.length, ...Object.fromEntries(values) as Record<AgreementMeasure, number> }
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
const SAMPLES = 2000

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
  return Object.entries(MEASURES).map(([measure, of]) => {
    const change = (rows: ReadonlyArray<number>) => of(rows.map((i) => after[i])) - of(rows.map((i) => before[i]))
    const changes = draws.map(change).filter(Number.isFinite).sort((a, b) => a - b)
    const at = (share: number) => changes[Math.min(changes.length - 1, Math.floor(share * changes.length))] ?? NaN
    return {
      measure: measure as AgreementMeasure,
      before: of(before),
      after: of(after),
      interval: [at(0.025), at(0.975)],
    }
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
