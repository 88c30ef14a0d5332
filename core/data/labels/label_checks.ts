import { firstOf, groupBy, labelError, type LabelGroups, type LabelPlaces, told } from "./label_groups.ts"
import { spellingKey } from "./label_spelling.ts"
import { compareNumerals, numeralOf } from "./numeral.ts"

/** Most different numbers that can be classes if they are not whole: half stars from 0 to 10. */
const MOST_STEPS = 21
/** Number of different labels that is never suspicious. */
const FEW = 8

/** The number of a score: `3.7`, `3,7`, `85 %`. */
const scoreOf = (name: string) => numeralOf(name.replace(/\s*%$/, "").replace(/^([+-]?\d*),(\d+)$/, "$1.$2"))

const isWhole = (name: string): boolean => {
  const score = scoreOf(name)!
  return score.digits.length <= score.point || score.digits === ""
}

/**
 * Checks that the labels found in a column can be classes. Gives notes about doubtful ones.
 *
 * @throws DataError `Label` for scores, and for texts that differ in nearly every row.
 */
export const checkClasses = (
  groups: LabelGroups,
  where: LabelPlaces,
  kind: "rows" | "words",
): ReadonlyArray<string> => {
  const names = [...groups.keys()]
  const count = [...groups.values()].reduce((sum, group) => sum + group.length, 0)
  const numbers = names.filter((name) => scoreOf(name) !== undefined)
  const own = (share: number) => names.length >= FEW && names.length > share * count
  /** Labels that differ only in spelling count once. */
  const texts = groupBy(names, spellingKey).size
  const mostly = numbers.length >= 0.9 * names.length
  const fail = (what: string, advice: string) => {
    const message = `${names.length} different labels in ${count} ${kind} (${
      firstOf(names.map((name) => JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name)), 5, ", ")
    }) ${what}. ${advice}; if each is a class, name them all in \`labels\``
    throw labelError(where, message, where.places.keys())
  }
  if (mostly && numbers.length > 0) {
    const few = numbers.length > 10 && count < 5 * names.length
    const sparse = kind === "rows" && numbers.length > MOST_STEPS && count < 3 * names.length && !counted(numbers)
    const whole = numbers.every(isWhole)
    const rating = whole && numbers.every((name) => Number(name) >= 0 && Number(name) <= 10)
    if ((own(0.5) && !rating) || sparse || (!whole && (few || numbers.length > MOST_STEPS))) {
      fail(
        "are scores, not classes",
        "Learn them as scores (task regression), or put them into a few bins (low, middle, high) " +
          "in a column of its own",
      )
    }
    return numberNotes(numbers, whole, kind)
  }
  if (texts >= FEW && texts > 0.7 * count) {
    fail("are free text, not classes", "Check that the column is the right one, or learn to write it as a completion")
  }
  const single = names.filter((name) => groups.get(name)!.length === 1).length
  if (names.length < FEW || single <= names.length / 2) return []
  return [`${single} of ${names.length} labels stand in a single place each: is it the right column?`]
}

/** Whether whole numbers count from 0 or 1 without a gap, as class ids do. */
const counted = (numbers: ReadonlyArray<string>): boolean => {
  const values = new Set(numbers.map(Number))
  const from = values.has(0) ? 0 : 1
  return numbers.every(isWhole) && Array.from(values, (_, index) => values.has(from + index)).every(Boolean)
}

const numberNotes = (numbers: ReadonlyArray<string>, whole: boolean, kind: string): ReadonlyArray<string> => {
  if (kind === "words" || (whole && numbers.length <= MOST_STEPS)) return []
  const inOrder = [...numbers].sort((a, b) => compareNumerals(scoreOf(a)!, scoreOf(b)!))
  const range = `${inOrder[0]} to ${inOrder[inOrder.length - 1]}`
  return [
    `${numbers.length} different numbers, ${range}, are classes without an order; if they are scores, put them into a few bins`,
  ]
}

/** Spellings of a missing value in tables. */
const MISSING = /^(nan|none|null|nil|undefined|#?n\/?a|<na>|\\n|na[nt]|_+|-+|\?+|unlabell?ed)$/i

/** A note about classes that are named like a missing value. */
export const missingNotes = (groups: LabelGroups, where: LabelPlaces): ReadonlyArray<string> => {
  const names = [...groups.keys()].filter((name) => MISSING.test(name)).map((name) =>
    told(name, groups.get(name)!, where)
  )
  if (names.length === 0) return []
  return [`${firstOf(names)} reads like a missing label, and is a class; take these rows out if it is none`]
}
