import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import type { Engine, NewToken, RowOptions } from "../../core/inference/engine.ts"
import { textPieces } from "../../core/inference/text/text_pieces.ts"
import type { Prompt } from "./prompts.ts"

/** What a text is written with. */
export interface Writer {
  readonly engine: Engine
  readonly tokenizer: Pick<Tokenizer, "decode" | "token">
  /** Whether the text goes on after the prompt, or stands alone. */
  readonly continues: boolean
}

/** Writes a text in pieces of whole characters. Its row is free when the loop over the pieces ends. */
export async function* write(
  { engine, tokenizer, continues }: Writer,
  { ids, stop }: Prompt,
  options: RowOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  // Steps that other texts ask for bring tokens too.
  const waiting: NewToken[] = []
  const row = engine.insert(ids, { ...options, stop, onToken: (token) => void waiting.push(token) })
  const pieces = textPieces(tokenizer, continues ? ids : [])
  try {
    for (let goesOn = true; goesOn;) {
      signal?.throwIfAborted()
      if (waiting.length === 0) await engine.next()
      let piece = ""
      for (const { token, finished } of waiting.splice(0)) {
        piece += pieces.add(token)
        if (finished === undefined) continue
        piece += pieces.end()
        goesOn = false
      }
      signal?.throwIfAborted()
      if (piece !== "") yield piece
    }
  } finally {
    engine.remove(row)
  }
}
