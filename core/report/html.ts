/** Text with the characters escaped that are markup in HTML, between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;")
}

/** A table cell with a number. */
export const cell = (value: string): string => `<td class="number">${value}</td>`

/** Heading of a column of numbers. */
export const heading = (name: string): string => `<th class="number" scope="col">${escapeHtml(name)}</th>`

/** Heading of a row. */
export const rowHeading = (name: string): string => `<th scope="row">${escapeHtml(name)}</th>`

/** A table from the cells of its head and the content of its rows. */
export function table(head: ReadonlyArray<string>, rows: ReadonlyArray<string>): string {
  const body = rows.map((row) => `<tr>${row}</tr>`).join("\n")
  return `<table>\n<thead><tr>${head.join("")}</tr></thead>\n<tbody>\n${body}\n</tbody>\n</table>`
}
