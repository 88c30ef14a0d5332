import type { ReportData } from "../../report/report.ts"
import type { Evaluation } from "../../training/evaluate.ts"
import type { TaskPart } from "./task_part.ts"

/** What the report of a run says of its tasks. */
export function reportOf(
  parts: ReadonlyArray<TaskPart>,
  before: ReadonlyArray<Evaluation>,
  after: ReadonlyArray<Evaluation>,
): Pick<ReportData, "facts" | "evaluations" | "division" | "classification" | "samples"> {
  const rowsOf = ({ name, judges }: TaskPart) => `${name === undefined ? "" : `${name}, `}${judges} rows`
  const facts = parts.map((part) => [
    part.name === undefined ? "data" : `data of ${part.name}`,
    `${part.from.path}, ${part.task.kind}, judged by ${part.judges} rows`,
  ])
  const samples = parts.flatMap(({ name }, i) =>
    after[i].predictions.map(({ label, word, text, ...rest }) => ({
      ...rest,
      text: [name, word, text].filter((part) => part !== undefined).join(": "),
      predicted: label,
    }))
  )
  const [{ classification }] = after
  return {
    facts: Object.fromEntries(facts) as Readonly<Record<string, string>>,
    evaluations: parts.flatMap((part, i) => [
      { name: `before, ${rowsOf(part)}`, metrics: before[i].metrics },
      { name: `after, ${rowsOf(part)}`, metrics: after[i].metrics },
    ]),
    ...parts.length > 1 || parts[0].data.found === undefined ? {} : { division: parts[0].data.found },
    ...parts.length > 1 || classification === undefined ? {} : { classification },
    samples,
  }
}
