import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { attempt, DataError } from "../data_error.ts"
import type { TextOptions } from "../table/text_options.ts"
import type { Source } from "../table/source.ts"
import type { Table } from "../table/table.ts"
import type { ParseText } from "./parse_text.ts"
import { fileText } from "./file_text.ts"

/** Opens a source of text, which is parsed as a whole: its first and its last line decide how all others are read. */
export const openText = (
  source: Source,
  options: TextOptions,
  parse: ParseText,
): Effect.Effect<Stream.Stream<Table, DataError>, DataError> =>
  Effect.gen(function* () {
    const { text, notes } = yield* fileText(source.name, yield* source.bytes, options.encoding)
    const table = yield* attempt(() => {
      if (text.trim() === "") throw new DataError({ reason: "Empty", message: `${source.name} holds no rows` })
      return parse(text, source.name, options)
    })
    return Stream.succeed({ ...table, notes: [...notes, ...table.notes ?? []] })
  })
