/** Files that are no text: first bytes, kind, and what to do. */
const KINDS: ReadonlyArray<readonly [begins: string, what: string, advice: string]> = [
  [
    "PAR1",
    "a Parquet file",
    "give the reader of @espalier/espalier/parquet (option readers)",
  ],
  ["ARROW1", "an Arrow (Feather) file", "write it as JSON Lines, with pandas or datasets"],
  ["\xff\xff\xff\xff", "an Arrow stream, as datasets.save_to_disk writes it", "write it with datasets' to_json"],
  ["PK\x03\x04", "a zip archive", "unpack it, and give the file within"],
  ["\xd0\xcf\x11\xe0", "an old Excel or Word file", "save its sheet as CSV UTF-8"],
  ["BZh", "packed with bzip2", "unpack it, or pack it with gzip"],
  ["\xfd7zXZ", "packed with xz", "unpack it, or pack it with gzip"],
  ["\x28\xb5\x2f\xfd", "packed with zstd", "unpack it, or pack it with gzip"],
  ["7z\xbc\xaf", "a 7z archive", "unpack it, and give the file within"],
  ["Rar!", "a RAR archive", "unpack it, and give the file within"],
  ["SQLite format 3\0", "an SQLite database", "give the reader of @espalier/espalier/sqlite (option readers)"],
  ["ORC", "an ORC file", "write it as JSON Lines"],
  ["Obj\x01", "an Avro file", "write it as JSON Lines"],
  ["\x89HDF", "an HDF5 file", "write its table as CSV"],
  ["\x93NUMPY", "a NumPy array", "write its rows as JSON Lines"],
  ["%PDF-", "a PDF document", "take its text out first"],
  ["{\\rtf", "a rich text document", "save it as plain text"],
  ["version https://git-lfs.", "a pointer of Git LFS, not the file itself", "fetch the file with git lfs pull"],
]

/** Names inside the archives of office programs. */
const WORKBOOKS = ["xl/", "[Content_Types].xml", "application/vnd.oasis.opendocument.spreadsheet"]

/** The kind of a file that is not text, and what to do with it; undefined if its start looks like text. */
export const fileKind = (bytes: Uint8Array): string | undefined => {
  const latin = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to))
  const begin = latin(0, 512)
  if (latin(257, 262) === "ustar") return "a tar archive: unpack it, and give the file within"
  if (bytes[0] === 0x80 && bytes[1] > 1 && bytes[1] < 6) return "a Python pickle: write its rows as JSON Lines"
  const kind = KINDS.find(([begins]) => begin.startsWith(begins))
  // A text may begin with these three letters.
  if (kind === undefined || (kind[1].includes("ORC") && !bytes.subarray(0, 64).includes(0))) return undefined
  if (begin.startsWith("PK") && WORKBOOKS.some((name) => begin.includes(name))) {
    return "a spreadsheet (a workbook of Excel or LibreOffice): save its sheet as CSV UTF-8"
  }
  return `${kind[1]}: ${kind[2]}`
}

/** Whether a text is a web page, as a wrong address returns it. */
export const isPage = (text: string): boolean => /^\s*<(?:!doctype html|html|head)\b/i.test(text.slice(0, 200))
