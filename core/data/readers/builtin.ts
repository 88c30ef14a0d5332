import * as Effect from "effect/Effect"
import type { ParseText } from "./parse_text.ts"
import type { Reader } from "./reader.ts"

/** A reader of text. A page loads the code of these readers with its first file. */
const textReader = (
  name: string,
  extensions: ReadonlyArray<string>,
  parser: (readers: typeof import("./mod.ts")) => ParseText,
): Reader => ({
  name,
  extensions,
  open: (source, options) =>
    Effect.flatMap(
      Effect.promise(() => import("./mod.ts")),
      (readers) => readers.openText(source, options, parser(readers)),
    ),
})

/** The readers of this package. */
export const READERS: ReadonlyArray<Reader> = [
  textReader("csv", ["csv"], ({ csv }) => csv),
  textReader("tsv", ["tsv", "tab"], ({ tsv }) => tsv),
  textReader("json", ["json"], ({ json }) => json),
  textReader("jsonl", ["jsonl", "ndjson"], ({ jsonLines }) => jsonLines),
  textReader("text", ["txt", "text"], ({ plainText }) => plainText),
]
