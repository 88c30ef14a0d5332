/** Text as near-duplicates are told by: lower case, white space collapsed. */
export const normalizeText = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim()

/** A text to be classified, or plain: case and spaces within a line do not count, lines and their indentation do. */
export const textKey = (text: string): string =>
  text.replace(/^(?:[^\S\n]*\n)+/, "").replace(/^ (?=\S)/, "").trimEnd().split(/\r\n?|\n/)
    .map((line) => /^[^\S\n]*/.exec(line)![0] + normalizeText(line)).join("\n")

/** A prompt or a completion: every character counts, but not how lines end. */
export const exactKey = (text: string): string => text.replace(/\r\n?/g, "\n")
