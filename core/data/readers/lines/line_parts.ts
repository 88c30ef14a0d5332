import * as Effect from "effect/Effect"
import { DataError } from "../../data_error.ts"
import type { Source } from "../../table/source.ts"
import { decodeText } from "../decode_text.ts"
import { checkText, notOneGzip } from "../file_text.ts"
import { LINE_END } from "../delimited/line_ends.ts"

/** Whole lines of a text, and the number of the first. */
export interface LinePart {
  readonly text: string
  readonly line: number
}

/** Bytes that are parsed at a time. */
const PART = 4 * 2 ** 20
/** Bytes that are unpacked at a time: what they give comes at once, and may be many times as much. */
const PACKED = 2 ** 16

/** The lines of a text file in parts, so that a file may be larger than memory; gzip is unpacked. Throws DataError. */
export async function* lineParts(source: Source, encoding?: string): AsyncGenerator<LinePart> {
  let line = 1
  for await (const bytes of cutAtLines(plainParts(source))) {
    if (line === 1) checkText(source.name, bytes)
    const { text } = decodeText(source.name, bytes, encoding, line)
    yield { text, line }
    line += text.split(LINE_END).length - 1
  }
}

/** Joins parts, and cuts them where a line ends. */
async function* cutAtLines(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Array<Uint8Array> = []
  let size = 0, enough = PART
  for await (const part of parts) {
    held.push(part)
    size += part.length
    if (size < enough) continue
    const all = joined(held, size)
    const end = all.lastIndexOf(NEW_LINE) + 1
    if (end > 0) yield all.subarray(0, end)
    held = [all.slice(end)]
    size = held[0].length
    // A line that is longer than a part is looked through again only when there is twice as much.
    enough = Math.max(PART, 2 * size)
  }
  if (size > 0) yield joined(held, size)
}

const NEW_LINE = 0x0a

function joined(parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array {
  const all = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

async function* rawParts({ part }: Source): AsyncGenerator<Uint8Array> {
  for (let at = 0;;) {
    const bytes = await Effect.runPromise(part(at, PART))
    if (bytes.length === 0) return
    yield bytes
    at += bytes.length
  }
}

/** The bytes of a source, unpacked where they are gzip. */
async function* plainParts(source: Source): AsyncGenerator<Uint8Array> {
  const raw = rawParts(source)
  const { done, value: first } = await raw.next()
  if (done) return
  if (first[0] !== 0x1f || first[1] !== 0x8b) {
    yield first
    return yield* raw
  }
  let held = first
  const packed = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (held.length === 0) {
        const { done, value } = await raw.next()
        if (done) return controller.close()
        held = value
      }
      controller.enqueue(held.subarray(0, PACKED))
      held = held.subarray(PACKED)
    },
  })
  const reader = packed.pipeThrough(new DecompressionStream("gzip") as ReadableWritablePair).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value as Uint8Array
    }
  } catch (cause) {
    throw cause instanceof DataError ? cause : notOneGzip(source.name, cause)
  } finally {
    await reader.cancel().catch(() => {})
  }
}
