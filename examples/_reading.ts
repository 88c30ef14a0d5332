/**
 * Options for reading a data file: flags, and the same in a run file.
 * @module
 */
import * as Option from "effect/Option"
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { Dataset } from "../mod.ts"
import { defined, given, text } from "./_shared.ts"

/** Options of a reader. */
export type Reading = Pick<Dataset.DatasetOptions, "format" | "delimiter" | "quotes" | "header" | "encoding">

/** Formats by name. */
export const FORMATS = ["csv", "tsv", "json", "jsonl", "text"] as const

/** Kinds of quoting. */
export const QUOTES = ["auto", "none", "double"] as const

/** The flags. */
export const readingFlags = {
  format: Flag.Literals("format", FORMATS).pipe(
    Flag.withDescription("Format of the data [from its extension]"),
    Flag.optional,
  ),
  delimiter: text("delimiter", 'Delimiter of CSV and TSV; "tab" is accepted [detected in the first line]'),
  quotes: Flag.Literals("quotes", QUOTES).pipe(
    Flag.withDescription(
      "CSV and TSV: quotes are characters (none) or enclose fields (double) [auto: detected]",
    ),
    Flag.optional,
  ),
  header: text("header", "Column names, separated by commas, of a file without a header line [its first line]"),
  encoding: text("encoding", "Encoding of the data, such as windows-1252 [utf-8, or utf-16 if detected]"),
}

/** Options from the flags; in the included data, quotes are characters. */
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
