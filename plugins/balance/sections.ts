import type { ReportSection } from "../../core/report/report_section.ts"
import type { AxisBalance, Balance, GroupBalance } from "./measures.ts"

const percent = (share: number | undefined): string => share === undefined ? "–" : `${(100 * share).toFixed(1)} %`
const number = (value: number | undefined): string => value === undefined ? "–" : value.toFixed(4)

/** Balance before and after training as sections of a report, for each axis of which rows speak. */
export function balanceSections(before: Balance, after: Balance): ReadonlyArray<ReportSection> {
  if (after.axes.length === 0) {
    return [{ title: "Balance", text: `None of ${after.rows} rows has a word of the groups.` }]
  }
  return after.axes.flatMap((axis) => {
    const earlier = before.axes.find((one) => one.axis === axis.axis)
    return [
      ...axis.swaps.length === 0 ? [] : [swapSection(axis, earlier)],
      ...axis.groups.length === 0 ? [] : [groupSection(axis, earlier)],
    ]
  })
}

/** What changes where words of one group take the place of the other's. */
function swapSection({ axis, swaps }: AxisBalance, before: AxisBalance | undefined): ReportSection {
  return {
    title: `Balance: ${axis}, words swapped`,
    text:
      "Rows with words of the two groups, each word swapped for that of the other group. Changed answers, the distance of " +
      "probabilities (total variation) or scores, and the change of the loss should be near 0.",
    table: {
      head: ["Groups", "Rows", "Changed, before", "after", "Distance, before", "after", "Loss, before", "after"],
      rows: swaps.map((swap, i) => {
        const earlier = before?.swaps[i]
        return [
          swap.groups.join(" and "),
          String(swap.rows),
          percent(earlier?.flipped),
          percent(swap.flipped),
          number(earlier?.distance),
          number(swap.distance),
          number(earlier?.lossChange),
          number(swap.lossChange),
        ]
      }),
    },
  }
}

/** The metrics of rows that speak of one group alone, and the gap between them. */
function groupSection({ axis, groups }: AxisBalance, before: AxisBalance | undefined): ReportSection {
  const rowOf = (name: string, rows: string, earlier: Figures | undefined, later: Figures) => [
    name,
    rows,
    percent(earlier?.accuracy),
    percent(later.accuracy),
    number(earlier?.loss),
    number(later.loss),
  ]
  const gap = groups.length < 2 ? [] : [rowOf("gap", "", before && gapOf(before.groups), gapOf(groups))]
  return {
    title: `Balance: ${axis}, by group`,
    text: "Rows that speak of one group alone. The gap is that of the best and the worst group.",
    table: {
      head: ["Group", "Rows", "Right, before", "after", "Loss, before", "after"],
      rows: [...groups.map((one, i) => rowOf(one.group, String(one.rows), before?.groups[i], one)), ...gap],
    },
  }
}

type Figures = Pick<GroupBalance, "loss" | "accuracy">

const gapOf = (groups: ReadonlyArray<GroupBalance>): Figures => {
  const range = (values: ReadonlyArray<number>) => Math.max(...values) - Math.min(...values)
  const accuracies = groups.flatMap(({ accuracy }) => accuracy ?? [])
  return {
    loss: range(groups.map(({ loss }) => loss)),
    ...accuracies.length < groups.length ? {} : { accuracy: range(accuracies) },
  }
}
