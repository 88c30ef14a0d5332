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

/** Of a logit. */
const TOLERANCE = 1e-4

const near = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): boolean =>
  a.length === b.length && a.every((value, i) => Math.abs(value - b[i]) <= TOLERANCE)

/** What differs between two tokenizers; nothing if none does. */
const tokenizerDifference = (ours: TokenizerAnswer, theirs: TokenizerAnswer): string | undefined => {
  const parts = ["ids", "ids without special tokens", "text of ids", "text without special tokens"]
  for (const [i, text] of theirs.texts!.entries()) {
    const part = text.findIndex((value, k) => JSON.stringify(value) !== JSON.stringify(ours.texts![i][k]))
    if (part >= 0) {
      const [mine, other] = [ours.texts![i][part], text[part]]
      return `${parts[part]} of text ${i}: ${JSON.stringify(mine)}, theirs ${JSON.stringify(other)}`
    }
  }
  const role = Object.keys(theirs.special!).find((name) => ours.special![name] !== theirs.special![name])
  return role === undefined ? undefined : `${role}: ${ours.special![role]}, theirs ${theirs.special![role]}`
}

const modelDifference = (ours: ModelAnswer, theirs: ModelAnswer): string | undefined => {
  if (ours.width !== theirs.width) return `${ours.width} logits a position, theirs ${theirs.width}`
  if (near(ours.outputs!, theirs.outputs!) && near(ours.sums!, theirs.sums!)) return undefined
  const at = ours.outputs!.findIndex((value, i) => !(Math.abs(value - theirs.outputs![i]) <= TOLERANCE))
  return `logits: ${ours.outputs![at]}, theirs ${theirs.outputs![at]}`
}

/** Whether a message names the field of a change: its old or new name, its file where it is new, or a token it is about. */
const names = (message: string, { path, to, kind, file }: Mutation): boolean => {
  const last = path[path.length - 1]
  // Of a token listed by its id, the list is the field.
  const words = [last, ...to === undefined ? [] : [to], ...kind === "file" ? [file] : []]
  return words.some((word) => new RegExp(`(?<![\\w])${RegExp.escape(word)}(?![\\w])`).test(message))
}

/**
 * One half of a directory judged.
 *
 * @param newest Whether the newest version that reads it is right, as it is of a config: it knows the spellings of both. How
 * text is cut is for tokenizer.json to say, and for a note where a version does otherwise.
 */
const judgePart = <A extends { readonly error?: string; readonly notes?: ReadonlyArray<string> }>(
  mutation: Mutation,
  ours: A,
  theirs: ReadonlyArray<A>,
  difference: (ours: A, theirs: A) => string | undefined,
  newest: boolean,
): readonly [Verdict, string] => {
  const readers = theirs.filter(({ error }) => error === undefined)
  if (ours.error !== undefined) {
    if (ours.error.startsWith("UNTYPED")) return ["UNTYPED", ours.error]
    if (names(ours.error, mutation)) return ["error names the field", ours.error]
    return [readers.length === 0 ? "all refuse" : "other error", ours.error]
  }
  if (readers.length === 0) return ["we read, they refuse", theirs[theirs.length - 1].error!]
  const found = (newest ? readers.slice(-1) : readers).map((one) => difference(ours, one))
  if (found.every((one) => one === undefined)) return ["equal", ""]
  const told = ours.notes!.find((note) => names(note, mutation))
  if (told !== undefined) return ["note names the field", told]
  const differs = found.find((one) => one !== undefined)!
  if (!found.includes(undefined)) return ["SILENT", differs]
  return [ours.notes!.length > 0 ? "they differ, told" : "they differ, NOT TOLD", differs]
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
      false,
    )
    parts.push({ part: "tokens", verdict, why })
  }
  if (ours.model !== undefined) {
    // A version does not know the spellings of a later one.
    const able = mutation.base.startsWith("5/") ? theirs.slice(-1) : theirs
    const [verdict, why] = judgePart(mutation, ours.model, able.map((one) => one.model!), modelDifference, true)
    parts.push({ part: "logits", verdict, why })
  }
  return parts
}
