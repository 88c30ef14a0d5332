import type { Evaluation } from "../../core/training/evaluate.ts"

/** How much answers change where words of two groups are swapped. */
export interface Swap {
  /** The two groups. */
  readonly groups: readonly [string, string]
  /** Rows in which words were swapped. */
  readonly rows: number
  /** Share of the rows whose answer changes; absent for tasks that give no answer a row. */
  readonly flipped?: number
  /** Mean distance of the probabilities (total variation, 0 to 1), or of the scores; absent for tasks with neither. */
  readonly distance?: number
  /** Mean change of the loss, regardless of its sign, in the units of the loss. */
  readonly lossChange: number
}

/** The rows that speak of one group of an axis, and of no other. */
export interface GroupBalance {
  /** The group. */
  readonly group: string
  /** Its rows. */
  readonly rows: number
  /** Mean loss. */
  readonly loss: number
  /** Share of right answers; absent for tasks that give no answer a row, or scores. */
  readonly accuracy?: number
}

/** Balance in one respect. */
export interface AxisBalance {
  /** Name of the axis. */
  readonly axis: string
  /** Each pair of its groups. */
  readonly swaps: ReadonlyArray<Swap>
  /** Its groups that have rows. */
  readonly groups: ReadonlyArray<GroupBalance>
}

/** Balance of a model on some rows. Plain JSON. */
export interface Balance {
  /** Rows that were looked through. */
  readonly rows: number
  /** Axes of which rows speak. */
  readonly axes: ReadonlyArray<AxisBalance>
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Whether there is one answer for each row. */
const answers = ({ predictions, losses }: Evaluation): boolean => predictions.length === losses.length

const distances = (a: Evaluation, b: Evaluation): ReadonlyArray<number> | undefined => {
  const values = ({ probabilities, scores }: Evaluation["predictions"][number]) => probabilities ?? scores
  if (!answers(a) || values(a.predictions[0]) === undefined) return undefined
  const share = a.predictions[0].probabilities === undefined ? 1 / values(a.predictions[0])!.length : 0.5
  return a.predictions.map((one, i) => {
    const others = values(b.predictions[i])!
    return share * values(one)!.reduce((sum, value, j) => sum + Math.abs(value - others[j]), 0)
  })
}

/** Compares the evaluation of some rows with that of the same rows after a swap. */
export function swapOf(groups: readonly [string, string], own: Evaluation, swapped: Evaluation): Swap {
  const changed = distances(own, swapped)
  return {
    groups,
    rows: own.losses.length,
    ...!answers(own) || own.predictions[0].scores !== undefined ? {} : {
      flipped: mean(own.predictions.map(({ label }, i) => label === swapped.predictions[i].label ? 0 : 1)),
    },
    ...changed === undefined ? {} : { distance: mean(changed) },
    lossChange: mean(own.losses.map((loss, i) => Math.abs(loss - swapped.losses[i]))),
  }
}

/** The measures of one group, of an evaluation of its rows. */
export function groupOf(group: string, own: Evaluation): GroupBalance {
  return {
    group,
    rows: own.losses.length,
    loss: mean(own.losses),
    ...!answers(own) || own.predictions[0].scores !== undefined ? {} : {
      accuracy: mean(own.predictions.map(({ label, expected }) => label === expected ? 1 : 0)),
    },
  }
}
