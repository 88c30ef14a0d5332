import { DataError } from "../../core/data/data_error.ts"

/** Words of each group. The words at one place of all lists mean the same of each group: one is swapped for the other. */
export type Groups = Readonly<Record<string, ReadonlyArray<string>>>

/** Groups by what they differ in. */
export type Axes = Readonly<Record<string, Groups>>

/**
 * English words for a start. Lists of one's own, in the language of the data, say more. "Her" stands for "his" and "him"; where it
 * is swapped, it becomes "his", the first of the two.
 */
export const AXES: Axes = {
  gender: {
    women:
      "she her her herself woman women girl girls mother mothers daughter daughters sister sisters wife wives aunt mrs lady female"
        .split(" "),
    men:
      "he his him himself man men boy boys father fathers son sons brother brothers husband husbands uncle mr gentleman male"
        .split(" "),
  },
  religion: {
    christian: "christian christians christianity church bible".split(" "),
    muslim: "muslim muslims islam mosque quran".split(" "),
    jewish: "jewish jews judaism synagogue torah".split(" "),
    hindu: "hindu hindus hinduism temple vedas".split(" "),
  },
  origin: {
    american: "american americans america".split(" "),
    african: "african africans africa".split(" "),
    asian: "asian asians asia".split(" "),
    european: "european europeans europe".split(" "),
  },
}

/** Checks groups. Throws DataError `BadInput` that names the axis. */
export function checkAxes(axes: Axes): void {
  const fail = (axis: string, what: string) => {
    throw new DataError({ reason: "BadInput", message: `groups of "${axis}": ${what}` })
  }
  if (Object.keys(axes).length === 0) fail("", "there are none: give at least one axis with two groups")
  for (const [axis, groups] of Object.entries(axes)) {
    const lists = Object.values(groups)
    if (lists.length < 2) fail(axis, `two groups or more are compared, got ${lists.length}`)
    const sizes = [...new Set(lists.map(({ length }) => length))]
    if (sizes.length > 1 || sizes[0] === 0) {
      fail(
        axis,
        `the lists have the same number of words, one or more, since words at one place are swapped; got ${sizes}`,
      )
    }
    const empty = lists.flat().find((word) => word.trim() === "")
    if (empty !== undefined) fail(axis, "a word is empty")
  }
}

const escaped = (word: string): string => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** Finds the words of a list, whatever their case, where they are whole words. */
export const finder = (words: ReadonlyArray<string>): RegExp => {
  const longestFirst = [...new Set(words.map((word) => word.toLowerCase()))].sort((a, b) => b.length - a.length)
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${longestFirst.map(escaped).join("|")})(?![\\p{L}\\p{N}_])`, "giu")
}

/** A word in the case of another. */
const inCaseOf = (word: string, model: string): string =>
  model.length > 1 && model === model.toUpperCase() && model !== model.toLowerCase()
    ? word.toUpperCase()
    : model[0] === model[0].toLowerCase()
    ? word
    : word[0].toUpperCase() + word.slice(1)

/** Swaps the words of two groups in a text: each word of one becomes the one at its place of the other. */
export function swapper(a: ReadonlyArray<string>, b: ReadonlyArray<string>): (text: string) => string {
  const other = new Map<string, string>()
  const add = (from: ReadonlyArray<string>, to: ReadonlyArray<string>) =>
    from.forEach((word, i) => {
      const key = word.toLowerCase()
      if (!other.has(key)) other.set(key, to[i])
    })
  add(a, b)
  add(b, a)
  const pattern = finder([...a, ...b])
  return (text) => text.replace(pattern, (word) => inCaseOf(other.get(word.toLowerCase())!, word))
}
