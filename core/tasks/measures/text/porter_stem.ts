/**
 * Stems of English words (Porter 1980), with the departures of NLTK's stemmer, which rouge-score uses.
 * @module
 */

/** Words whose stems no rule gives. */
const IRREGULAR: Readonly<Record<string, string>> = {
  skies: "sky",
  sky: "sky",
  dying: "die",
  lying: "lie",
  tying: "tie",
  news: "news",
  innings: "inning",
  inning: "inning",
  outings: "outing",
  outing: "outing",
  cannings: "canning",
  canning: "canning",
  howe: "howe",
  proceed: "proceed",
  exceed: "exceed",
  succeed: "succeed",
}

/** `c` for each consonant, `v` for each vowel; a y is a vowel after a consonant. */
function shapeOf(word: string): string {
  let shape = ""
  for (let at = 0; at < word.length; at++) {
    const isVowel = "aeiou".includes(word[at]) || (word[at] === "y" && shape[at - 1] === "c")
    shape += isVowel ? "v" : "c"
  }
  return shape
}

/** How often consonants follow vowels: m in the paper. */
const measure = (stem: string): number => shapeOf(stem).split("vc").length - 1
const endsDouble = (word: string): boolean => /(.)\1$/.test(word) && shapeOf(word).endsWith("c")
/** Whether a stem ends consonant, vowel, consonant (not w, x, y); or is vowel, consonant. */
const endsShort = (word: string): boolean => {
  const shape = shapeOf(word)
  return (shape.endsWith("cvc") && !/[wxy]$/.test(word)) || shape === "vc"
}

/** A suffix, what takes its place, and whether it does, by what is before it. */
type Rule = readonly [suffix: string, replacement: string, applies?: (stem: string) => boolean]

/** Applies the first rule whose suffix a word has. */
function byRule(word: string, rules: ReadonlyArray<Rule>): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix))
  if (rule === undefined) return word
  const [suffix, replacement, applies = () => true] = rule
  const stem = word.slice(0, word.length - suffix.length)
  return applies(stem) ? stem + replacement : word
}

const some = (stem: string): boolean => measure(stem) > 0
const several = (stem: string): boolean => measure(stem) > 1
const rules = (text: string, applies: (stem: string) => boolean): ReadonlyArray<Rule> =>
  text.split(" ").map((pair) => {
    const [suffix, replacement = ""] = pair.split(">")
    return [suffix, replacement, applies]
  })

const PLURALS: ReadonlyArray<Rule> = [["sses", "ss"], ["ies", "i"], ["ss", "ss"], ["s", ""]]
const LONG = rules(
  "ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize " +
    "ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful",
  some,
).concat([["logi", "log", (stem) => some(`${stem}l`)]])
const MIDDLE = rules("icate>ic ative alize>al iciti>ic ical>ic ful ness", some)
const LAST = [
  ...rules("al ance ence er ic able ible ant ement ment ent", several),
  ["ion", "", (stem: string) => several(stem) && /[st]$/.test(stem)] as const,
  ...rules("ou ism ate iti ous ive ize", several),
]

/** Past tense and participles, and the e that these took away. */
function withoutEnding(word: string): string {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2)
  if (word.endsWith("eed")) return some(word.slice(0, -3)) ? word.slice(0, -1) : word
  const ending = ["ed", "ing"].find((own) => word.endsWith(own) && shapeOf(word.slice(0, -own.length)).includes("v"))
  if (ending === undefined) return word
  const stem = word.slice(0, -ending.length)
  if (/(at|bl|iz)$/.test(stem)) return `${stem}e`
  if (endsDouble(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1)
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem
}

function withoutLong(word: string): string {
  if (word.endsWith("alli") && some(word.slice(0, -4))) return withoutLong(word.slice(0, -2))
  return byRule(word, LONG)
}

function withoutE(word: string): string {
  const stem = word.slice(0, -1)
  if (!word.endsWith("e")) return word
  return several(stem) || (some(stem) && !endsShort(stem)) ? stem : word
}

/** The stem of a word of a-z and 0-9. */
export function porterStem(word: string): string {
  if (Object.hasOwn(IRREGULAR, word)) return IRREGULAR[word]
  if (word.length <= 2) return word
  const singular = /^.ies$/.test(word) ? word.slice(0, -1) : byRule(word, PLURALS)
  const tense = withoutEnding(singular)
  const ended = byRule(tense, [["y", "i", (stem) => stem.length > 1 && shapeOf(stem).endsWith("c")]])
  const short = byRule(byRule(withoutLong(ended), MIDDLE), LAST)
  const last = withoutE(short)
  return last.endsWith("ll") && several(last.slice(0, -1)) ? last.slice(0, -1) : last
}
