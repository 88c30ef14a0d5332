/**
 * Step 1: the file that is learned from, and which of its columns.
 * @module
 */
import { act, element, get, set, show } from "./dom.ts"
import { readTable } from "./training.ts"

/** A file with texts, and its first lines. */
interface Table {
  readonly name: string
  readonly bytes: Uint8Array
  readonly header: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

/** What a person chose to learn from. */
export interface Chosen {
  readonly name: string
  readonly bytes: Uint8Array
  /** Column of the texts, and of the labels where labels are learned. */
  readonly text: string
  readonly label?: string
}

let table: Table | undefined
const column = (id: "text" | "label") => get<HTMLSelectElement>(id).value

/** Whether labels are learned, or texts. */
export const learnsLabels = (): boolean => get<HTMLInputElement>("to-label").checked

/** The file and its columns; undefined before there is one. */
export function chosen(): Chosen | undefined {
  if (table === undefined) return undefined
  const { name, bytes } = table
  const [text, label] = [column("text"), column("label")]
  if (!learnsLabels()) return { name, bytes, text }
  if (label === "") throw new Error(`${name} has one column: labels need another`)
  if (text === label) throw new Error("Text and label are the same column: choose two different ones")
  return { name, bytes, text, label }
}

/** Fetches a file of the page. */
export async function download(path: string): Promise<Uint8Array> {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path} cannot be fetched: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

async function read(file: File): Promise<Table> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const { columns, rows } = await readTable(file.name, bytes)
  const header = columns.filter((name, _, all) => name !== "" && all.indexOf(name) === all.lastIndexOf(name))
  if (header.length === 0) throw new Error(`${file.name} needs a first line that names its columns`)
  return {
    name: file.name,
    bytes,
    header,
    rows: rows.slice(0, 200).map((row) => header.map((name) => String(row[name] ?? ""))),
  }
}

/** Texts are the longest column, labels the one with the fewest different values. */
function guess({ header, rows }: Table): readonly [text: string, label: string] {
  const values = (i: number) => rows.map((line) => line[i])
  const letters = (i: number) => values(i).reduce((sum, value) => sum + value.length, 0)
  const variety = (i: number) => new Set(values(i)).size
  const columns = header.map((_, i) => i)
  const text = columns.reduce((a, b) => letters(b) > letters(a) ? b : a)
  const [label] = columns.filter((i) => i !== text && variety(i) > 1).sort((a, b) => variety(a) - variety(b))
  return [header[text], header[label ?? columns.find((i) => i !== text) ?? text]]
}

function preview(): void {
  if (table === undefined) return
  const { header, rows } = table
  const used = learnsLabels() ? [column("text"), column("label")] : [column("text")]
  const cells = (tag: "th" | "td", line: ReadonlyArray<string>) =>
    element("tr", line.map((value, i) => element(tag, value, used.includes(header[i]) ? "used" : "")))
  get("rows").replaceChildren(
    element("thead", [cells("th", header)]),
    element("tbody", rows.slice(0, 2).map((line) => cells("td", line))),
  )
  show("label-column", learnsLabels())
}

async function take(file: File): Promise<void> {
  table = await read(file)
  const [text, label] = guess(table)
  for (const [id, chosen] of [["text", text], ["label", label]]) {
    get(id).replaceChildren(
      ...table.header.map((name) => new Option(name, name, name === chosen, name === chosen)),
    )
  }
  set("file-facts", `${file.name}, ${Math.max(1, Math.round(file.size / 1024)).toLocaleString("en")} KiB`)
  preview()
  get("drop").classList.add("small")
  show("no-file", false)
  show("preview")
  show("text-column")
  get<HTMLButtonElement>("start").disabled = false
}

/** Watches what is dropped and chosen; `busy` says when nothing can be. */
export function watchData(busy: () => boolean): void {
  const drop = get("drop")
  const taken = (file: File | undefined) => {
    if (file !== undefined && !busy()) act(() => take(file))
  }
  get("file").addEventListener("change", ({ target }) => taken((target as HTMLInputElement).files?.[0]))
  for (const type of ["dragover", "dragleave", "drop"] as const) {
    document.addEventListener(type, (event) => {
      event.preventDefault()
      drop.classList.toggle("over", type === "dragover")
      if (type === "drop") taken(event.dataTransfer?.files[0])
    })
  }
  get("sample").addEventListener("click", () =>
    act(async () => {
      if (!busy()) await take(new File([await download("sms_spam.tsv") as BlobPart], "sms_spam.tsv"))
    }))
  for (const id of ["text", "label", "to-label", "to-write"]) get(id).addEventListener("change", preview)
}
