import type { RunExample } from "../../core/contracts/batch_source.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import { type Difficulty, ID } from "./options.ts"

type Examples = ReadonlyArray<RunExample>

/** Difficulties that are known before a run, of the examples of a task. */
const NAMED = {
  length: (examples) => examples.map(({ tokens }) => tokens.length),
  rarity: (examples) => {
    const counts = new Map<number, number>()
    let total = 0
    for (const { tokens } of examples) {
      for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
      total += tokens.length
    }
    return examples.map(({ tokens }) =>
      tokens.reduce((sum, token) => sum - Math.log(counts.get(token)! / total), 0) / tokens.length
    )
  },
} as const satisfies Readonly<Record<string, (examples: Examples) => ReadonlyArray<number>>>

/** The difficulty of each example of a task. Throws PluginError where a row has none. */
export function difficultiesOf(
  difficulty: Exclude<Difficulty, "feedback">,
  examples: Examples,
  task: string,
): ReadonlyArray<number> {
  return typeof difficulty === "string"
    ? NAMED[difficulty](examples)
    : examples.map(({ numbers = {} }) => numberOf(numbers, difficulty.column, task))
}

function numberOf(numbers: Readonly<Record<string, number>>, column: string, task: string): number {
  const value = Object.hasOwn(numbers, column) ? numbers[column] : undefined
  if (Number.isFinite(value)) return value!
  const there = Object.keys(numbers)
  const found = value !== undefined
    ? `one is ${value}`
    : there.length === 0
    ? "they have no columns of numbers"
    : `they have numbers of ${JSON.stringify(there)}`
  const name = JSON.stringify(column)
  const message = `${ID}: rows of the task "${task}" need a number in the column ${name}, and ${found}: ` +
    `read the data with { numbers: [${name}] }`
  throw new PluginError({ plugin: ID, message })
}
