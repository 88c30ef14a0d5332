/**
 * What writing a weight in fewer bits lost.
 * @module
 */
import { groupBy } from "../group_by.ts"

/** One weight. */
export interface WeightAccount {
  /** Its name in the file. */
  readonly name: string
  /** What it was written in. */
  readonly type: string
  /** Root mean square of what was written less what should have been. */
  readonly error: number
  /** Root mean square of the weight. */
  readonly weight: number
  /** Of a weight with an update in it. */
  readonly update?: {
    /** Root mean square of the update. */
    readonly size: number
    /**
     * Share of the update that is in what was written: the projection of the change on it. 1 is all; 0 means that the weight
     * is what it was before.
     */
    readonly kept: number
  }
}

/** Adds up the account of one weight, piece by piece. */
export interface Tally {
  /** Takes what should be written, what was, and the weight without its update, if it has one. */
  readonly add: (wanted: Float32Array, written: Float32Array, base?: Float32Array) => void
  readonly account: (name: string, type: string) => WeightAccount
}

/** An empty one. */
export function makeTally(): Tally {
  let count = 0, error = 0, weight = 0, update = 0, kept = 0
  return {
    add: (wanted, written, base) => {
      count += wanted.length
      for (let i = 0; i < wanted.length; i++) {
        error += (written[i] - wanted[i]) ** 2
        weight += wanted[i] ** 2
        if (base === undefined) continue
        const change = wanted[i] - base[i]
        update += change ** 2
        kept += (written[i] - base[i]) * change
      }
    },
    account: (name, type) => ({
      name,
      type,
      error: Math.sqrt(error / count),
      weight: Math.sqrt(weight / count),
      ...(update === 0 ? {} : { update: { size: Math.sqrt(update / count), kept: kept / update } }),
    }),
  }
}

/** Accounts as lines of text: one for each weight with an update, one for all the others of a type. */
export function accountLines(accounts: ReadonlyArray<WeightAccount>): ReadonlyArray<string> {
  const percent = (share: number) => `${(100 * share).toPrecision(3)} %`
  const updated = accounts.flatMap(({ name, type, error, update }) =>
    update === undefined ? [] : [
      `${name}: ${percent(update.kept)} of the update is in ${type}, off by ${
        percent(error / update.size)
      } of its size ` +
      `(${error.toPrecision(2)} of ${update.size.toPrecision(2)} RMS)`,
    ]
  )
  const others = groupBy(accounts.filter(({ update }) => update === undefined), ({ type }) => type)
  return [
    ...updated,
    ...[...others].map(([type, own]) => {
      const worst = own.reduce((most, { error, weight }) => Math.max(most, error / weight), 0)
      return `${own.length} weights in ${type}: off by ${percent(worst)} of their size at most (RMS)`
    }),
  ]
}
