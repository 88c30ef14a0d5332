import * as Effect from "effect/Effect"
import { attempt, type DataError } from "../data_error.ts"
import type { DataRow, StreamedData } from "../data.ts"
import { resolveSplit, type SplitOptions } from "./split.ts"
import type { StreamedSplits } from "./divide_stream.ts"
import { normalizeText } from "./text_keys.ts"

/**
 * Divides a stream, which is read once for that. A row is in a part by the hash of its text, so rows that differ only in case,
 * white space or answer are in one part, as with `split`. At most a window of rows is taken for validation, and one for the
 * test; all others are for training. Notes are those of all that was read. Duplicates stay, and classes have no share of their
 * own: both would need all rows at once.
 *
 * Fails with a {@link DataError}: `Split` for shares out of range or a part without a row, and what the stream fails with.
 */
export function splitStream(
  options: SplitOptions = {},
): <Row extends DataRow, E, R>(
  data: Effect.Effect<StreamedData<Row>, E, R>,
) => Effect.Effect<StreamedSplits<Row>, E | DataError, R> {
  return (data) =>
    Effect.gen(function* () {
      const shares = yield* attempt(() => resolveSplit(options))
      const stream = yield* data
      const { divide } = yield* Effect.promise(() => import("../streamed.ts"))
      return yield* divide(stream, shares, (row) => normalizeText(stream.kind.texts(row)[0]))
    })
}
