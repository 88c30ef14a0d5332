/** Equal for near-duplicates: lower case, white space collapsed. */
export const normalizeText = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim()

/** For texts: case and spaces within a line do not count, lines and indentation do. */
export const textKey = (text: string): string =>
  text.replace(/^(?:[^\S\n]*\n)+/, "").replace(/^ (?=\S)/, "").trimEnd().split(/\r\n?|\n/)
    .map((line) => /^[^\S\n]*/.exec(line)![0] + normalizeText(line)).join("\n")

/** For prompts and completions: every character counts, except the kind of line end. */
export const exactKey = (text: string): string => text.replace(/\r\n?/g, "\n")
