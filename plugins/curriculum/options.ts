import { checkOptions, demandOf, field, type OptionTable, type Resolved, withDefaults } from "../../core/options/mod.ts"
import { type Pacing, PACINGS } from "./pacing.ts"

/** How difficult a row is: a name, or a column of numbers. */
export type Difficulty = "length" | "rarity" | "feedback" | { readonly column: string }

/** Options of a curriculum. */
export interface CurriculumOptions {
  /**
   * What makes a row difficult, within its task. `"length"`: its tokens. `"rarity"`: the mean of -log p over its tokens,
   * where p is the token's share of all tokens of the task's training rows (Platanios et al. 2019, who take the sum).
   * `{ column }`: the row's number in a column that `Dataset` was told of (`numbers: ["grade"]`), such as the losses of the
   * base model from `Trainer.evaluate`. `"feedback"`: the row's last loss in the run (self-paced learning, Kumar et al.
   * 2010): the first epoch shows all rows, and the pacing starts after it. Default `"length"`.
   */
  readonly difficulty?: Difficulty
  /** `"easy"` rows first, or `"hard"` ones: the anti-curriculum. Default `"easy"`. */
  readonly order?: "easy" | "hard"
  /**
   * How the share of rows that are drawn from grows from c0 = `start` to 1, with p the share of `duration` that is over.
   * `"linear"`: c0 + (1 - c0) p. `"root"`: c0 + (1 - c0) sqrt(p). `"step"`: c0 + (1 - c0) floor(p stages) / stages.
   * `"competence"`: sqrt(c0^2 + (1 - c0^2) p) (Platanios et al. 2019). Default `"competence"`.
   */
  readonly pacing?: Pacing
  /** Share of the rows that the first step draws from, (0, 1]. Default 0.1. */
  readonly start?: number
  /**
   * Steps until all rows are drawn from. Default: half of the run's steps; with `"feedback"`, half of those after the first
   * epoch.
   */
  readonly duration?: number
  /** Equal stages of the pacing `"step"`. Default 4. */
  readonly stages?: number
}

/** Options, checked and with defaults filled in. */
export type ResolvedOptions = Resolved<CurriculumOptions, "duration">

/** {@link CurriculumOptions} as a table. */
export const OPTIONS: OptionTable<CurriculumOptions, "duration"> = {
  difficulty: field.anyOf([
    field.choice(["length", "rarity", "feedback"], {}),
    field.record<{ readonly column: string }>()({ column: field.text({ required: true, doc: "Its name" }) }, {}),
  ], {
    wanted: '"length", "rarity", "feedback" or { column: NAME }',
    default: "length",
    doc: "What makes a row difficult: tokens, rare tokens, its last loss, or a column of numbers",
  }),
  order: field.choice(["easy", "hard"], { default: "easy", doc: "Which rows come first" }),
  pacing: field.choice(Object.keys(PACINGS) as ReadonlyArray<Pacing>, {
    default: "competence",
    doc: "How the share of rows that are drawn from grows",
  }),
  start: field.number({ exclusiveMinimum: 0, maximum: 1, default: 0.1, doc: "Share of the rows in the first step" }),
  duration: field.integer({ minimum: 1, absent: "half of the run's", doc: "Steps until all rows are drawn from" }),
  stages: field.integer({ minimum: 1, default: 4, doc: 'Equal stages of the pacing "step"' }),
}

/** Id of the plugin. A run has one curriculum. */
export const ID = "curriculum/default"

/** Fills in defaults. Throws PluginError on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: CurriculumOptions): ResolvedOptions {
  checkOptions(ID, OPTIONS, options)
  const resolved = withDefaults(OPTIONS, options)
  const given = options.stages === undefined || resolved.pacing === "step"
  demandOf(ID)(given, "pacing", '"step" where stages are given', resolved.pacing)
  return resolved
}
