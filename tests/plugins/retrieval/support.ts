/**
 * An encoder without a model, and documents.
 * @module
 */
import * as Effect from "effect/Effect"
import type { Encoder } from "../../../plugins/retrieval/mod.ts"

/** Numbers of a vector. */
const WIDTH = 64

/** Words as a vector of length 1: texts are near where they share words. `shift` makes another encoder. */
export const words = (name = "words", { width = WIDTH, shift = 0 } = {}): Encoder => ({
  name,
  embed: (texts) =>
    Effect.succeed(texts.map((text) => {
      const vector = new Float32Array(width)
      for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
        let hash = shift
        for (const letter of word) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0
        vector[hash % width]++
      }
      const length = Math.hypot(...vector)
      return vector.map((value) => value / length)
    })),
})

export const DOCUMENTS = [
  { source: "museum.txt", text: "The museum opens at nine. It is closed on Mondays." },
  { source: "prices.txt", text: "A ticket costs eight euros. Children pay half of that." },
  { source: "harbour.md", text: "Boats leave the harbour each hour, from June to September." },
]
