import { DataError, listPlaces } from "../data_error.ts"

/** A file's text. */
export interface DecodedText {
  /** The text without a byte order mark. */
  readonly text: string
  /** What was unusual. */
  readonly notes: ReadonlyArray<string>
}

/**
 * Decodes a file, or lines of it from `firstLine` on: with the given encoding, else as UTF-16 if the file shows it, else as
 * UTF-8.
 *
 * @throws DataError `Unreadable` that names the likely encoding. Decoding anyway would train on replacement characters.
 */
export const decodeText = (path: string, bytes: Uint8Array, encoding?: string, firstLine = 1): DecodedText => {
  const name = encoding ?? wideEncoding(bytes) ?? "utf-8"
  if (name === "utf-32") throw unreadable(`${path} is UTF-32 text; save it as UTF-8`)
  // Joined files may begin with several marks; the decoder removes one.
  const text = decode(path, bytes, name, encoding !== undefined, firstLine).replace(/^\ufeff+/, "")
  if (text.includes("\0")) {
    const lines = text.split("\n").flatMap((line, index) => line.includes("\0") ? [index + firstLine] : [])
    throw unreadable(
      `${path} holds NUL characters (${
        listPlaces("line", lines)
      }), which no text has: it is no text file, or is damaged`,
      lines,
    )
  }
  return { text, notes: name === "utf-8" || encoding !== undefined ? [] : [`${path} is ${name.toUpperCase()} text`] }
}

/** V8's limit of a string's length. */
const LONGEST = 2 ** 29 - 24

const unreadable = (message: string, rows?: ReadonlyArray<number>, cause?: unknown) =>
  new DataError({ reason: "Unreadable", message, ...(rows === undefined ? {} : { rows }), cause })

/** The encoding by a byte order mark, or by zeros in nearly every second byte. */
export const wideEncoding = (bytes: Uint8Array): "utf-16le" | "utf-16be" | "utf-32" | undefined => {
  const [a, b, c, d] = bytes
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return "utf-32"
  }
  if (a === 0xff && b === 0xfe) return "utf-16le"
  if (a === 0xfe && b === 0xff) return "utf-16be"
  const zeros = [0, 0]
  const sample = bytes.subarray(0, 4096)
  sample.forEach((byte, index) => {
    if (byte === 0) zeros[index % 2]++
  })
  const most = sample.length * 0.4
  if (zeros[0] === 0 && zeros[1] > most) return "utf-16le"
  return zeros[1] === 0 && zeros[0] > most ? "utf-16be" : undefined
}

const decode = (path: string, bytes: Uint8Array, name: string, isGiven: boolean, firstLine: number): string => {
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(name, { fatal: true })
  } catch (cause) {
    const message =
      `"${name}" is no encoding that is known here; known are utf-8, utf-16le, windows-1252, shift_jis, gb18030 and others`
    throw new DataError({ reason: "BadInput", message, cause })
  }
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    if (bytes.length >= LONGEST) {
      const advice = "read it as a stream (option stream), as CSV, TSV, JSON Lines or plain text, or divide it"
      throw unreadable(`${path} holds ${bytes.length} bytes, more than one text can: ${advice}`, undefined, cause)
    }
    if (isGiven || name !== "utf-8") {
      throw unreadable(`${path} is not ${name.toUpperCase()} text, or is damaged`, undefined, cause)
    }
    throw unreadable(...notUtf8(path, bytes, firstLine), cause)
  }
}

/** Whether bytes hold surrogates as three bytes each, which UTF-8 forbids (Python's "surrogatepass"). */
const holdsSurrogates = (bytes: Uint8Array): boolean =>
  bytes.some((byte, at) => byte === 0xed && bytes[at + 1] >= 0xa0 && bytes[at + 1] < 0xc0 && bytes[at + 2] >> 6 === 2)

/** What a file that is not UTF-8 may be, with the lines at fault. */
const notUtf8 = (
  path: string,
  bytes: Uint8Array,
  firstLine: number,
): [message: string, rows: ReadonlyArray<number>] => {
  const lossy = new TextDecoder().decode(bytes).split("\n")
  const rows = lossy.flatMap((line, index) => line.includes("\ufffd") ? [index + firstLine] : [])
  const where = listPlaces("line", rows)
  if (holdsSurrogates(bytes)) {
    const what = "halves of characters (surrogates without their pair, as emojis that were cut in two leave them)"
    return [`${path} is not UTF-8 text in ${where}: it holds ${what}; write it anew without them`, rows]
  }
  const latin = new TextDecoder("windows-1252").decode(bytes).split("\n")
  const high = latin.reduce((count, line) => count + (line.match(/[\x80-\uffff]/g)?.length ?? 0), 0)
  // In Latin text few letters have accents; in other scripts nearly all bytes are high.
  const isLatin = high < 0.3 * bytes.length
  const whole = lossy.join("")
  const count = (pattern: RegExp) => whole.match(pattern)?.length ?? 0
  if (rows[0] === lossy.length + firstLine - 1 && /^[^\ufffd]*\ufffd$/.test(whole)) {
    return [`${path} ends within a character (${where}): was it cut off?`, rows]
  }
  if (count(/[\x80-\ufffc]/g) >= count(/\ufffd/g)) {
    return [`${path} is UTF-8 in other places, but not in ${where}: the file is damaged, or joined from several`, rows]
  }
  const word = /\S*[\x80-\uffff]\S*/.exec(latin[rows[0] - firstLine])?.[0].slice(0, 30)
  const advice = isLatin
    ? `it is likely Windows-1252 (Latin-1), where it reads ${JSON.stringify(word)}: save it as UTF-8 ` +
      `(iconv -f WINDOWS-1252 -t UTF-8), or give its encoding (option encoding: windows-1252)`
    : 'save it as UTF-8, or give its encoding (option encoding), such as "gb18030", "shift_jis", "euc-kr" or "windows-1251"'
  return [`${path} is not UTF-8 text in ${where}; ${advice}`, rows]
}
