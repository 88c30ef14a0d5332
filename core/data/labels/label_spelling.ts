import { firstOf, groupBy, type LabelGroups, type LabelPlaces, told } from "./label_groups.ts"
import { numeralKey, numeralOf, wholeNumber } from "./numeral.ts"

/**
 * One spelling for labels that are surely the same: 1 for `1`, `1.0` and `1.00`; true for `true`, `True` and `TRUE`. Tables are
 * often written with the other one. `1.10` may be a version or a section, so it stays.
 */
const sameLabel = (label: string): string =>
  /^(true|false)$/i.test(label) ? label.toLowerCase() : wholeNumber(label) ?? label

/**
 * Trims cells and gives each whole number and truth value one spelling: that of the given name, if there is one. Notes say
 * which labels were joined or renamed.
 */
export const oneSpelling = (
  raw: ReadonlyArray<string>,
  where: LabelPlaces,
  given?: ReadonlyArray<string>,
): { readonly cells: ReadonlyArray<string>; readonly notes: ReadonlyArray<string> } => {
  const spellings = groupBy(raw)
  const found = new Set([...spellings.keys()].map((cell) => cell.trim()))
  const same = groupBy(given ?? [...found], sameLabel)
  const kindOf = (label: string) => wholeNumber(label) === undefined ? "truth" : "number"
  const joined = new Set([...same].filter(([, own]) => own.length > 1).map(([label]) => kindOf(label)))
  const className = (cell: string): string => {
    const label = sameLabel(cell)
    if (given === undefined) return joined.has(kindOf(label)) ? label : cell
    const own = same.get(label)
    return given.includes(cell) || own?.length !== 1 ? cell : given[own[0]]
  }
  const classOf = new Map([...spellings.keys()].map((cell) => [cell, className(cell.trim())]))
  const byClass = groupBy([...classOf.values()])
  const written = [...spellings]
  const joins = [...byClass].filter(([name, own]) => own.length > 1 || written[own[0]][0].trim() !== name)
    .map(([name, own]) =>
      `${own.map((at) => told(...written[at], where)).join(" and ")} ${
        own.length > 1 ? "are one class," : "is the class"
      } ${JSON.stringify(name)}`
    )
  return { cells: raw.map((cell) => classOf.get(cell)!), notes: joins.length === 0 ? [] : [firstOf(joins)] }
}

/** Equal for texts that differ only in case, width, spaces, joiners, quotes around or a mark at the end. */
export const spellingKey = (label: string): string => {
  const plain = label.normalize("NFKC").replace(/\p{Cf}/gu, "").trim()
  const numeral = numeralOf(plain)
  if (numeral !== undefined) return numeralKey(numeral)
  // Upper case first: "ß" becomes two letters.
  const folded = plain.toUpperCase().toLowerCase().normalize("NFKC")
    .replace(/(?<=[\p{L}\p{N}])[\s_-]+(?=[\p{L}\p{N}])/gu, " ")
  const bare = folded.replace(/^["'“”„‘’«»]+|["'“”„‘’«»]+$/g, "").replace(/\s*[.,;:!?]+$/, "").trim()
  return bare === "" ? folded || label : bare
}

/** Notes about different labels that look alike. */
export const alikeNotes = (groups: LabelGroups, where: LabelPlaces): ReadonlyArray<string> => {
  const alike = new Map<string, Array<string>>()
  for (const name of groups.keys()) alike.set(spellingKey(name), [...alike.get(spellingKey(name)) ?? [], name])
  const sets = [...alike.values()].filter((names) => names.length > 1)
    .map((names) => names.map((name) => told(name, groups.get(name)!, where)).join(" and "))
  const notes = sets.length === 0 ? [] : [
    `labels that differ in spelling alone are classes of their own: ${firstOf(sets)}; write them alike if they are one`,
  ]
  const has = (...names: ReadonlyArray<string>) => names.some((name) => groups.has(name))
  if (has("0", "1") && has("true", "false", "True", "False")) {
    notes.push(
      "labels 0 or 1 stand beside true or false, and are classes of their own: write them alike if they are one",
    )
  }
  return notes
}

/** Whether two labels differ only in spelling. */
export const alike = (a: string, b: string): boolean => spellingKey(a) === spellingKey(b)
