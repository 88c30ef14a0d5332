/**
 * How a file of data is read, where the file does not show it: flags, and the same for a run file.
 * @module
 */
import * as Option from "effect/Option"
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Dataset } from "../mod.ts"
import { defined, given, text } from "./_shared.ts"

/** What a reader can be told. */
export type Reading = Pick<Dataset.DatasetOptions, "format" | "delimiter" | "quotes" | "header" | "encoding">

/** Formats by name. */
export const FORMATS = ["csv", "tsv", "json", "jsonl", "text"] as const

/** What quotes can be. */
export const QUOTES = ["auto", "none", "double"] as const

/** Flags for it. */
export const readingFlags = {
  format: Flag.Literals("format", FORMATS).pipe(
    Flag.withDescription("Format of the data [as its extension says]"),
    Flag.optional,
  ),
  delimiter: text("delimiter", "What parts the columns of CSV and TSV; tab is a word for it [as the first line shows]"),
  quotes: Flag.Literals("quotes", QUOTES).pipe(
    Flag.withDescription(
      "CSV and TSV: quotes are characters (none) or quote fields (double) [auto: as the file shows]",
    ),
    Flag.optional,
  ),
  header: text("header", "Column names, with commas, of a file without a header line [its first line]"),
  encoding: text("encoding", "Encoding of the data, such as windows-1252 [utf-8, or utf-16 where the file shows it]"),
}

/** What the flags say; the quotes of the data that is included are characters. */
export const readingOf = (flags: Command.Command.Config.Infer<typeof readingFlags>, data: string): Reading => ({
  ...data.endsWith("sms_spam.tsv") ? { quotes: "none" } : {},
  ...defined({
    format: given(flags.format),
    delimiter: given(Option.map(flags.delimiter, (word) => word === "tab" || word === "\\t" ? "\t" : word)),
    quotes: given(flags.quotes),
    header: given(Option.map(flags.header, (names) => names.split(",").map((name) => name.trim()))),
    encoding: given(flags.encoding),
  }),
})
