import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import type { Engine, NewToken, RowOptions } from "../../core/inference/engine.ts"
import { stopSearch, wrongStopStrings } from "../../core/inference/text/stop_strings.ts"
import { textPieces } from "../../core/inference/text/text_pieces.ts"
import { InferenceError } from "./inference_error.ts"
import type { Prompt } from "./prompts.ts"

/** How a text is written. */
export interface WriteOptions extends RowOptions {
  /** Texts that end it, and are no part of it. */
  readonly stopStrings?: ReadonlyArray<string>
}

/**
 * Writes a text in pieces of whole characters, as `answer` of `@espalier/espalier/answer` does with Effect's streams, which a page
 * need not load for this. Its row is free when the loop over the pieces ends.
 */
export async function* write(
  engine: Engine,
  tokenizer: Tokenizer,
  { ids, stop }: Prompt,
  { stopStrings = [], ...options }: WriteOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  const wrong = wrongStopStrings(stopStrings)
  if (wrong !== undefined) throw new InferenceError("Options", wrong)
  // Steps that other texts ask for bring tokens too.
  const waiting: NewToken[] = []
  const row = engine.insert(ids, { ...options, stop, onToken: (token) => void waiting.push(token) })
  const pieces = textPieces(tokenizer, engine.continues ? ids : [])
  const search = stopSearch(stopStrings)
  try {
    for (let goesOn = true; goesOn;) {
      signal?.throwIfAborted()
      if (waiting.length === 0) await engine.next()
      signal?.throwIfAborted()
      let piece = ""
      for (const { token, finished } of waiting.splice(0)) {
        const { text, found } = search.add(pieces.add(token), pieces.end())
        piece += text
        goesOn = found === undefined && finished === undefined
        if (!goesOn && found === undefined) piece += search.rest() + pieces.end()
        if (!goesOn) break
      }
      if (piece !== "") yield piece
    }
  } finally {
    engine.remove(row)
  }
}
