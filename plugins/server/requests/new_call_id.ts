const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"

/** The id of a call: nine letters and digits, which is what Mistral's templates take. */
export const newCallId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => LETTERS[byte % LETTERS.length]).join("")
