/**
 * The card of an adapter, `README.md` of its repository: from what a run's folder says of data, methods and figures.
 * @module
 */
import { formatCount, formatMetric, formatSeconds } from "../../../core/report/format.ts"

type Json = Readonly<Record<string, unknown>>

/** What a card is made from. */
export interface CardSource {
  /** `owner/name` of the adapter. */
  readonly repository: string
  /** `owner/name` of the base model, where it is on a hub. */
  readonly base: string | undefined
  /** Content of the run's `config.json`. */
  readonly config: Json
  /** Content of the run's `summary.json`. */
  readonly summary: Json
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const objectIn = (value: unknown): Json => isObject(value) ? value : {}

/** The last part of a path: where a file lay on one's own machine is for nobody else. */
const fileName = (path: unknown): string => String(path).split(/[/\\]/).at(-1)!

/** A text within a cell of a table. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n")

/** The text of a card. */
export function modelCard({ repository, base, config, summary }: CardSource): string {
  const methods = (Array.isArray(config.methods) ? config.methods : []).map(String)
  const model = base === undefined ? fileName(config.model ?? "a model") : `[${base}](https://huggingface.co/${base})`
  return [
    frontMatter(base, methods, metricsOf(summary).map(({ name }) => name)),
    `# ${repository.split("/")[1]}`,
    `${methods.length === 0 ? "A fine-tuning" : methods.map((method) => `\`${method}\``).join(" and ")} of ${model}, ` +
    "trained with Espalier.",
    measured(summary),
    data(config),
    settings(config, summary),
  ].filter((part) => part !== "").join("\n\n") + "\n"
}

function frontMatter(base: string | undefined, methods: ReadonlyArray<string>, metrics: ReadonlyArray<string>): string {
  const list = (name: string, values: ReadonlyArray<string>) =>
    values.length === 0 ? [] : [`${name}:`, ...values.map((value) => `- ${JSON.stringify(value)}`)]
  return [
    "---",
    ...base === undefined ? [] : [`base_model: ${base}`],
    "library_name: peft",
    ...list("tags", ["espalier", ...new Set(methods.map((method) => method.split("/")[0]))]),
    ...list("metrics", [...new Set(metrics)]),
    "---",
  ].join("\n")
}

/** A metric of a task, before and after; `task` is empty for the only one. */
interface Measured {
  readonly task: string
  readonly name: string
  readonly before: unknown
  readonly after: unknown
}

function metricsOf({ base, test }: Json): ReadonlyArray<Measured> {
  const of = (task: string, before: Json, after: Json) =>
    Object.entries(after).filter(([, value]) => typeof value === "number").map(([name, value]) => ({
      task,
      name,
      before: before[name],
      after: value,
    }))
  const [before, after] = [objectIn(base), objectIn(test)]
  const tasks = Object.entries(after).filter(([, value]) => isObject(value))
  return [...of("", before, after), ...tasks.flatMap(([task, own]) => of(task, objectIn(before[task]), objectIn(own)))]
}

function measured(summary: Json): string {
  const rows = metricsOf(summary)
  if (rows.length === 0) return "## Measured\n\nNothing was measured."
  const shown = (value: unknown) => typeof value === "number" ? formatMetric(value) : "–"
  const { judgedBy } = summary
  const by = isObject(judgedBy)
    ? Object.entries(judgedBy).map(([task, rows]) => `${task}: ${rows}`).join(", ")
    : judgedBy
  const split = by === undefined ? "" : `On ${by} rows.${by === "test" ? "" : " They are no held-out test rows."}\n\n`
  return "## Measured\n\n" + split + table(
    ["metric", "before", "after"],
    rows.map(({ task, name, before, after }) => [task === "" ? name : `${task}: ${name}`, shown(before), shown(after)]),
  )
}

function data(config: Json): string {
  const rows = ["train", "validation"].flatMap((split) =>
    Object.entries(objectIn(config[split])).map(([task, own]) => {
      const { source, examples } = objectIn(own)
      const name = task === "default" ? split : `${split}, ${task}`
      return [name, source === undefined ? "" : fileName(source), formatCount(Number(examples ?? 0))]
    })
  )
  return rows.length === 0 ? "" : `## Data\n\n${table(["split", "file", "examples"], rows)}`
}

function settings(config: Json, summary: Json): string {
  const { trainableParameters, totalParameters, steps, seconds, figures } = summary
  const facts = [
    ...typeof steps === "number" ? [["steps", formatCount(steps)]] : [],
    ...typeof seconds === "number" ? [["time", formatSeconds(seconds)]] : [],
    ...typeof trainableParameters === "number"
      ? [["trained parameters", `${formatCount(trainableParameters)} of ${formatCount(Number(totalParameters))}`]]
      : [],
    ...Object.entries(objectIn(figures)).map(([name, value]) => [name, String(value)]),
  ]
  const options = Object.entries(objectIn(config.training)).map(([name, value]) => [name, JSON.stringify(value)])
  const rows = [...facts, ...options]
  return rows.length === 0 ? "" : `## Training\n\n${table(["", ""], rows)}`
}
