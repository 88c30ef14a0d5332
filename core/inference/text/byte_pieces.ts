import type { TextPieces } from "./text_pieces.ts"

/** Cuts the text of tokens that stand for bytes of UTF-8 into pieces of whole characters; half a one at the end is left out. */
export function bytePieces(bytes: (token: number) => Uint8Array): TextPieces {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })
  return { add: (token) => utf8.decode(bytes(token), { stream: true }), end: () => "" }
}
