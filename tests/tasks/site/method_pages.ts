/**
 * A page for each method that a run can name: what the module says of it, and its options as a table.
 * @module
 */
import { defaultText, type Field } from "../../../core/options/mod.ts"
import { METHODS } from "../../../plugins/all/mod.ts"
import type { Page } from "./pages.ts"

/** Entry point of a method, where it is not the method's own name. */
const ENTRIES: Readonly<Record<string, string>> = { distill: "replay", "elastic-weights": "replay" }

/** The first comment of a file: that of the module. */
const moduleComment = (text: string): string =>
  (/^\/\*\*\n([^]*?) \*\//.exec(text)?.[1] ?? "").replaceAll(/^ \* ?/gm, "").replace(/@module\s*$/, "").trim()

/** Allowed values of an option, in a word or two. */
function typeOf({ type, enum: choices, anyOf, items }: Field<unknown>): string {
  if (choices !== undefined) return choices.map((value) => `\`${JSON.stringify(value)}\``).join(", ")
  if (anyOf !== undefined) return anyOf.map(typeOf).join(" or ")
  return type === "array" ? `list of ${items === undefined ? "values" : typeOf(items)}` : type ?? "value"
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

function optionTable(name: string): string {
  const rows = Object.entries(METHODS[name].options).map(([option, field]) => {
    const usual = field.required ? "required" : defaultText(field) ?? ""
    return `| \`${option}\` | ${cell(typeOf(field))} | ${cell(usual)} | ${cell(field.doc ?? "")} |`
  })
  return ["| option | type | default | |", "| --- | --- | --- | --- |", ...rows].join("\n")
}

/**
 * The pages, from the tables of options and from module comments.
 *
 * @param read Gives the text of the entry point of a name, such as `lora`.
 */
export function methodPages(read: (entry: string) => string): ReadonlyArray<Page> {
  return Object.keys(METHODS).map((name) => {
    const entry = ENTRIES[name] ?? name
    const run = JSON.stringify({ methods: [{ method: name }] })
    return {
      path: `methods/${name}.md`,
      text: [
        `# ${name}`,
        moduleComment(read(entry)),
        `## Options`,
        `In a [run file](/docs/running.md#run-files): \`${run}\`. In code: \`@espalier/espalier/${entry}\`.`,
        optionTable(name),
        `[All methods](/docs/methods.md) · [API](/api/index.html)`,
      ].join("\n\n") + "\n",
    }
  })
}
