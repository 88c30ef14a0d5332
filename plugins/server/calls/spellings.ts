import type { CallSpelling } from "./call_spelling.ts"
import { hermes } from "./hermes.ts"
import { lfm2 } from "./lfm2.ts"
import { llama } from "./llama.ts"
import { mistral } from "./mistral.ts"

const ALL = [hermes, llama, mistral, lfm2]

/** Spellings of calls that are known, by name: `hermes`, `llama`, `mistral`, `lfm2`. */
export const callSpellings: Readonly<Record<string, CallSpelling>> = Object.fromEntries(
  ALL.map((one) => [one.name, one]),
)

/** The spelling that a chat template, given as its source, writes calls in; undefined where it is not known. */
export const spellingOf = (template: string): CallSpelling | undefined => ALL.find(({ isIn }) => isIn(template))
