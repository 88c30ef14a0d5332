import { countOf, labelError, type LabelGroups, type LabelPlaces, placesOf } from "./label_groups.ts"
import { numeralOf, wholeNumber } from "./numeral.ts"

/** Signs for "no label": that of PyTorch and Hugging Face, and that of Few-NERD and GLUE's test files. */
const SIGNS = ["-100", "-1"]

/** Whole numbers in one spelling: `-1` for `-1.0`, `1` for `+1`. */
const valueOf = (name: string): string => wholeNumber(name.replace(/^\+/, "")) ?? name
const isSign = (name: string): boolean => SIGNS.includes(valueOf(name))
const isMark = (name: string): boolean => ["0", "1"].includes(valueOf(name))
const isBelow = (name: string, limit: number): boolean => numeralOf(name) !== undefined && Number(name) < limit

/** Advice if the sign is a class. */
const asClass = (sign: string) => `name all classes in \`labels\` if ${sign} is one of them`

const fail = (where: LabelPlaces, message: string, indices: ReadonlyArray<number>): never => {
  throw labelError(where, message, indices)
}

/**
 * Tags that mean "no label": always -100; -1 too, if the other tags are names or ids from 0 and not marks from -1 to 1.
 *
 * @throws DataError `Label` if the meaning of -1 is not certain.
 */
export const unlabelledTags = (
  groups: LabelGroups,
  where: LabelPlaces,
  given: ReadonlyArray<string> | undefined,
): ReadonlyArray<string> => {
  const names = [...groups.keys()]
  const signs = names.filter((name) => isSign(name) && !given?.includes(name))
  const one = signs.find((name) => valueOf(name) === "-1")
  if (one === undefined) return signs
  const others = names.filter((name) => !isSign(name))
  if (given === undefined && others.some((name) => isBelow(name, 0))) return signs.filter((name) => name !== one)
  const mayBeMarks = others.every(isMark) && given?.length !== 2
  if (mayBeMarks || (signs.length === 2 && given === undefined)) {
    const beside = names.filter((name) => name !== one).slice(0, 5).join(", ")
    const message =
      `the tag -1 beside ${beside || "no other"} may mean "no label" or be a class: write -100 for words ` +
      `without a label, or ${asClass(one)}`
    fail(where, message, groups.get(one)!)
  }
  return signs
}

/**
 * Notes about labels that may mean "no label".
 *
 * @throws DataError `Label` if they most likely do: a text without a label can be neither trained on nor judged.
 */
export const unlabelledRows = (groups: LabelGroups, where: LabelPlaces): ReadonlyArray<string> => {
  for (const sign of [...groups.keys()].filter(isSign)) {
    const indices = groups.get(sign)!
    const others = [...groups.keys()].filter((name) => name !== sign)
    if (others.length === 0) fail(where, `no row has a label: all have ${sign} (as test files of GLUE have)`, indices)
    const opposite = others.some((name) => `-${valueOf(name)}` === valueOf(sign))
    if (opposite && others.every(isMark) && !atOneEnd(indices, groups, others)) {
      return [
        `the label ${sign} is a class, ${countOf(indices.length, "row")}; take these out if it stands for "no label"`,
      ]
    }
    const limit = valueOf(sign) === "-1" ? 0 : -1
    const negative = others.some((name) => !isSign(name) && isBelow(name, limit))
    if (negative || (limit < 0 && opposite)) continue
    const what = `${sign} in ${placesOf(indices, where)} most likely stands for "no label"`
    fail(where, `${what}: take these rows out, or ${asClass(sign)}`, indices)
  }
  return []
}

/** Whether rows form one block at an end and the others are mixed, as in joined files with and without labels. */
const atOneEnd = (indices: ReadonlyArray<number>, groups: LabelGroups, others: ReadonlyArray<string>): boolean => {
  const total = [...groups.values()].reduce((sum, group) => sum + group.length, 0)
  const isBlock = (group: ReadonlyArray<number>) => group[group.length - 1] - group[0] === group.length - 1
  const atEnd = indices[0] === 0 || indices[indices.length - 1] === total - 1
  return indices.length >= 8 && others.length > 1 && atEnd && isBlock(indices) &&
    !others.some((name) => isBlock(groups.get(name)!))
}
