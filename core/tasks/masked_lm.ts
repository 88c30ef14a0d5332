import { DataError } from "../data/data_error.ts"
import { MASKED } from "../data/encode.ts"
import { alongBody, cutterOf } from "../data/pieces/pieces.ts"
import { wrongTokenId } from "../data/token_ids.ts"
import type { Tokenizer } from "../data/tokenizer/tokenizer.ts"
import { LANGUAGE_MODEL, type TextRow, textRows } from "./causal_lm.ts"
import { maskTokens } from "./mask_tokens.ts"
import type { TaskOf } from "./task.ts"

/** Predicts masked tokens from both sides (Devlin et al. 2018). */
export interface MaskedLMTask extends TaskOf<TextRow> {
  /** Its name. */
  readonly kind: "masked-lm"
}

const TASK: MaskedLMTask = {
  ...LANGUAGE_MODEL,
  kind: "masked-lm",
  head: { kind: "vocabulary", attention: "bidirectional" },
  rows: [textRows],
  // All tokens but special ones may be masked. No end token is added.
  encoder: ({ rows }, tokenizer, { vocabSize = Infinity }) => {
    checkMask(tokenizer, vocabSize)
    const { around, spelled } = cutterOf(tokenizer, rows.map(({ text }) => text))
    return ({ text }) => {
      const piece = around(text)
      const labels = piece.body.map((id) => spelled(text, id) ? MASKED : id)
      return [{ ...piece, fields: (tokens) => ({ labels: alongBody(piece, labels, MASKED, tokens) }) }]
    }
  },
  prepare: (batch, key, { maskId, vocabSize }) => maskTokens(batch, key, { maskId: maskId!, vocabSize }),
}

/** Throws a {@link DataError} if there is no mask token in the vocabulary. */
function checkMask({ maskId }: Tokenizer, vocabSize: number): void {
  const beyond = maskId === undefined ? undefined : wrongTokenId([maskId], vocabSize)
  if (maskId !== undefined && beyond === undefined) return
  const message = maskId === undefined
    ? "masked-lm needs a tokenizer with a mask token: its files name none that is in the vocabulary"
    : `the tokenizer's mask token has the ${beyond}; take the tokenizer that belongs to the model`
  throw new DataError({ reason: "Tokenizer", message })
}

/** Predicts masked tokens from both sides. */
export const maskedLM = (): MaskedLMTask => TASK
