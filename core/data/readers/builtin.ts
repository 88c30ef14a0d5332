import * as Effect from "effect/Effect"
import type { LineFormat } from "./lines/open_lines.ts"
import type { ParseText } from "./parse_text.ts"
import type { Reader } from "./reader.ts"

/**
 * A reader of text; with `lines`, of one that can be larger than memory. A page loads the code of these readers with its first
 * file.
 */
const textReader = (
  name: string,
  extensions: ReadonlyArray<string>,
  parser: (readers: Readers) => ParseText,
  lines?: (readers: Readers) => LineFormat,
): Reader => ({
  name,
  extensions,
  open: (source, options) =>
    Effect.flatMap(
      Effect.promise(() => import("./mod.ts")),
      (readers) =>
        lines === undefined || options.streamed !== true
          ? readers.openText(source, options, parser(readers))
          : readers.openLines(source, options, lines(readers), parser(readers)),
    ),
})

type Readers = typeof import("./mod.ts")

/** The readers of this package. */
export const READERS: ReadonlyArray<Reader> = [
  textReader("csv", ["csv"], ({ csv }) => csv, ({ csvFormat }) => csvFormat),
  textReader("tsv", ["tsv", "tab"], ({ tsv }) => tsv, ({ tsvFormat }) => tsvFormat),
  textReader("json", ["json"], ({ json }) => json),
  textReader("jsonl", ["jsonl", "ndjson"], ({ jsonLines }) => jsonLines, ({ jsonLineFormat }) => jsonLineFormat),
  textReader("text", ["txt", "text"], ({ plainText }) => plainText, ({ textLineFormat }) => textLineFormat),
]
