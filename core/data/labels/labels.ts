import { checkClasses, missingNotes } from "./label_checks.ts"
import {
  columnOf,
  countOf,
  firstOf,
  groupBy,
  labelError,
  type LabelGroups,
  type LabelPlaces,
  placesOf,
  told,
} from "./label_groups.ts"
import { alike, alikeNotes, oneSpelling } from "./label_spelling.ts"
import { MASKED } from "../batches/masked.ts"
import { compareNumerals, numeralOf, wholeNumber } from "./numeral.ts"
import { unlabelledRows, unlabelledTags } from "./unlabelled.ts"

/** The labels of a column. */
export interface Labels {
  /** Names, label id = index. */
  readonly names: ReadonlyArray<string>
  /** Label id of each cell; {@link MASKED} for tags without a label. */
  readonly ids: ReadonlyArray<number>
  /** Notes about them. */
  readonly notes: ReadonlyArray<string>
}

/** Distinct label names, sorted by value if all are numbers, else by code unit. */
export const labelNames = (cells: Iterable<string>): ReadonlyArray<string> => {
  const names = [...new Set(cells)].sort((a, b) => (a < b ? -1 : 1))
  const numerals = names.map((name) => ({ name, numeral: numeralOf(name)! }))
  if (numerals.some(({ numeral }) => numeral === undefined)) return names
  return numerals.sort((a, b) => compareNumerals(a.numeral, b.numeral)).map(({ name }) => name)
}

/**
 * Names and ids of a column of labels, of rows or of words.
 *
 * @param fewest Smallest number of different labels. Default 2.
 * @throws DataError `Label` for unknown labels, signs for "no label", and labels that are not classes.
 */
export const readLabels = (
  raw: ReadonlyArray<string>,
  where: LabelPlaces,
  kind: "rows" | "words",
  given?: ReadonlyArray<string>,
  fewest = 2,
): Labels => {
  const { cells, notes } = oneSpelling(raw, where, given)
  const groups = groupBy(cells)
  const none = kind === "words" ? unlabelledTags(groups, where, given) : []
  const used = new Map([...groups].filter(([name]) => !none.includes(name)))
  const found = given === undefined
    ? [...kind === "rows" ? unlabelledRows(used, where) : [], ...checkClasses(used, where, kind)]
    : givenNotes(used, given, where)
  const names = given ?? labelNames(used.keys())
  const ids = labelIds(cells, names, where, none, fewest)
  const unlabelled = none.map((sign) => {
    const words = groups.get(sign)!
    return `the tag ${sign} is no label: ${countOf(words.length, "word")}, neither trained on nor judged, in ${
      placesOf(words, where)
    }`
  })
  const classes = given === undefined ? used : new Map(given.map((name) => [name, used.get(name) ?? []]))
  const all = [...notes, ...unlabelled, ...found, ...alikeNotes(classes, where), ...missingNotes(classes, where)]
  return { names, ids, notes: all.map((note) => `${columnOf(where)}: ${note}`) }
}

/**
 * Label ids of cells. A cell is one of `names`, or an id from 0 to `names.length - 1` if no name is a number. Cells in `none`
 * have no label.
 *
 * @throws DataError `Label` with all rows whose label is unknown or out of range.
 */
const labelIds = (
  cells: ReadonlyArray<string>,
  names: ReadonlyArray<string>,
  where: LabelPlaces,
  none: ReadonlyArray<string> = [],
  fewest = 2,
): ReadonlyArray<number> => {
  if (new Set(names).size !== names.length || names.length < fewest) {
    const message = `classification needs at least ${fewest === 1 ? "one label" : "two different labels"}, got ${
      JSON.stringify(names)
    }${none.length === 0 ? "" : ` beside ${none.join(", ")}, which stands for "no label"`}`
    throw labelError(where, message, [])
  }
  const idOf = new Map(names.map((name, id) => [name, id]))
  for (const name of none) idOf.set(name, MASKED)
  const idsAllowed = idsAreLabels(names)
  const numbered = (cell: string): number => {
    const id = Number(idsAllowed ? wholeNumber(cell) ?? -1 : -1)
    return id >= 0 && id < names.length ? id : -1
  }
  const ids = cells.map((cell) => idOf.get(cell) ?? numbered(cell))
  const wrong = ids.flatMap((id, index) => (id === -1 ? [index] : []))
  if (wrong.length === 0) return ids
  const values = [...new Set(wrong.map((index) => cells[index]))].slice(0, 5)
  const shown = values.map((value) => JSON.stringify(value))
  const meant = values.flatMap((value) => names.filter((name) => alike(name, value)).slice(0, 1))
  const hints = [
    meant.length === 0 ? "" : `; ${meant.map((name) => JSON.stringify(name))} differs in spelling alone`,
    values.some((value) => value === "-1" || value === "-100")
      ? `; -1 and -100 often stand for "no label": take such rows out`
      : "",
  ]
  const message = `unknown or out-of-range label ${shown.join(", ")} in ${placesOf(wrong, where)}; labels are ${
    JSON.stringify(names)
  }${idsAllowed ? ` or 0 to ${names.length - 1}` : ""}${hints.join("")}`
  throw labelError(where, message, wrong)
}

/** Whether numbers are ids: no name is a number. */
const idsAreLabels = (names: ReadonlyArray<string>): boolean => names.every((name) => numeralOf(name) === undefined)

/** Notes about given labels: a mix of ids and names, and names without a row. */
const givenNotes = (used: LabelGroups, given: ReadonlyArray<string>, where: LabelPlaces): ReadonlyArray<string> => {
  const notes: Array<string> = []
  const ids = idsAreLabels(given) ? [...used.keys()].filter((name) => !given.includes(name)) : []
  if (ids.length > 0 && ids.length < used.size) {
    const cells = ids.map((id) => `${told(id, used.get(id)!, where)} for ${JSON.stringify(given[Number(id)])}`)
    notes.push(`ids stand beside names: ${firstOf(cells)}`)
  }
  const unused = given.filter((name, id) => !used.has(name) && !ids.some((own) => Number(own) === id))
  if (unused.length > 0) {
    notes.push(`no row has the label ${firstOf(unused.map((name) => JSON.stringify(name)), 5, ", ")}`)
  }
  return notes
}
