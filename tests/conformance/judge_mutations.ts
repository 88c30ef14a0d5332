/**
 * How a reading of changed files compares with that of each version of transformers.
 * @module
 */
import type { Answer, ModelAnswer, TokenizerAnswer } from "./espalier_mutations.ts"
import type { Mutation } from "./mutations.ts"

/** Every way that it can come out; only the last ones are failures. */
export const verdicts = [
  "equal",
  "they differ, told",
  "note names the field",
  "error names the field",
  "other error",
  "all refuse",
  "we read, they refuse",
  "they differ, NOT TOLD",
  "SILENT",
  "UNTYPED",
] as const

/** One of them. */
export type Verdict = (typeof verdicts)[number]

/** Those that must not be. */
export const failures: ReadonlyArray<Verdict> = ["they differ, NOT TOLD", "SILENT", "UNTYPED"]

/** What is not as the versions of transformers have it: `alone` where it is as none has it; no reason where all is equal. */
type Difference<A> = (
  ours: A,
  theirs: ReadonlyArray<A>,
) => { readonly alone: boolean; readonly why?: string | undefined }

/** Of a logit. */
const TOLERANCE = 1e-4

const near = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= TOLERANCE)

/** A part of an answer to be compared, in words that are equal where it is. */
interface Item {
  readonly what: string
  readonly value: string
}

const tokenizerItems = ({ texts, special }: TokenizerAnswer): ReadonlyArray<Item> => [
  ...texts!.flatMap((parts, i) =>
    ["ids", "ids without special tokens", "text of ids", "text without special tokens"].map((part, k): Item => ({
      what: `${part} of text ${i}`,
      value: JSON.stringify(parts[k]),
    }))
  ),
  ...Object.entries(special!).map(([role, id]): Item => ({ what: role, value: String(id) })),
]

/** What of a tokenizer is as no version has it, or else as not all have it. */
const tokenizerDifference: Difference<TokenizerAnswer> = (ours, theirs) => {
  const others = theirs.map(tokenizerItems)
  const differing = tokenizerItems(ours).map(({ what, value }, i) => {
    const found = others.map((items) => items[i].value)
    return { why: `${what}: ${value}, theirs ${found.join(" and ")}`, by: found.filter((one) => one !== value).length }
  }).filter(({ by }) => by > 0)
  const alone = differing.find(({ by }) => by === theirs.length)
  return { alone: alone !== undefined, why: (alone ?? differing[0])?.why }
}

/** The newest version that reads a config is right: it knows the spellings of all. */
const modelDifference: Difference<ModelAnswer> = (ours, all) => {
  const theirs = all[all.length - 1]
  if (ours.width !== theirs.width) {
    return { alone: true, why: `${ours.width} logits a position, theirs ${theirs.width}` }
  }
  if (near(ours.outputs!, theirs.outputs!) && near(ours.sums!, theirs.sums!)) return { alone: false }
  const at = ours.outputs!.findIndex((value, i) => !(Math.abs(value - theirs.outputs![i]) <= TOLERANCE))
  return { alone: true, why: `logits: ${ours.outputs![at]}, theirs ${theirs.outputs![at]}` }
}

/** Whether a message names the field of a change: its old or new name, its file where it is new, or the token that it is about. */
const names = (message: string, { path, to, kind, file, value }: Mutation): boolean => {
  const last = path[path.length - 1]
  const content = typeof value === "object" && value !== null && "content" in value ? value.content : value
  // A token's role may stand in words, if the token itself is quoted.
  if (typeof content === "string" && last.endsWith("_token") && message.includes(JSON.stringify(content))) return true
  const words = [last, ...to === undefined ? [] : [to], ...kind === "file" ? [file] : []]
  return words.flatMap((word) => [word, word.replaceAll("_", " ")])
    .some((word) => new RegExp(`(?<!\\w)${RegExp.escape(word)}(?!\\w)`).test(message))
}

/**
 * One half of a directory judged. How text is cut is for tokenizer.json to say, and for a note where a version does otherwise.
 */
const judgePart = <A extends { readonly error?: string; readonly notes?: ReadonlyArray<string> }>(
  mutation: Mutation,
  ours: A,
  theirs: ReadonlyArray<A>,
  difference: Difference<A>,
): readonly [Verdict, string] => {
  const readers = theirs.filter(({ error }) => error === undefined)
  if (ours.error !== undefined) {
    if (ours.error.startsWith("UNTYPED")) return ["UNTYPED", ours.error]
    if (names(ours.error, mutation)) return ["error names the field", ours.error]
    return [readers.length === 0 ? "all refuse" : "other error", ours.error]
  }
  if (readers.length === 0) return ["we read, they refuse", theirs[theirs.length - 1].error!]
  const { alone, why } = difference(ours, readers)
  if (why === undefined) return ["equal", ""]
  const told = ours.notes!.find((note) => names(note, mutation))
  if (told !== undefined) return ["note names the field", told]
  // Where one version refuses, the other may do otherwise than tokenizer.json says.
  const otherwise = readers.length < theirs.length && ours.notes!.some((note) => note.includes("transformers"))
  if (alone && !otherwise) return ["SILENT", why]
  return [ours.notes!.length > 0 ? "they differ, told" : "they differ, NOT TOLD", why]
}

/** Every half of a directory that was asked for: its verdict, and what of it a person should see. */
export const judgeMutation = (
  mutation: Mutation,
  ours: Answer,
  theirs: ReadonlyArray<Answer>,
): ReadonlyArray<{ readonly part: "tokens" | "logits"; readonly verdict: Verdict; readonly why: string }> => {
  const parts: Array<{ part: "tokens" | "logits"; verdict: Verdict; why: string }> = []
  if (ours.tokenizer !== undefined) {
    const [verdict, why] = judgePart(
      mutation,
      ours.tokenizer,
      theirs.map((one) => one.tokenizer!),
      tokenizerDifference,
    )
    parts.push({ part: "tokens", verdict, why })
  }
  if (ours.model !== undefined) {
    // A version does not know the spellings of a later one.
    const able = mutation.base.startsWith("5/") ? theirs.slice(-1) : theirs
    const [verdict, why] = judgePart(mutation, ours.model, able.map((one) => one.model!), modelDifference)
    parts.push({ part: "logits", verdict, why })
  }
  return parts
}
