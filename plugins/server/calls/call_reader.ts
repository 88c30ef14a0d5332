import type { Call, CallSpelling } from "./call_spelling.ts"

/** A part of an answer: text, and calls. */
export interface AnsweredPart {
  readonly text: string
  readonly calls: ReadonlyArray<Call>
}

/** Finds calls in an answer that comes in pieces; however it is cut, the parts together are the same. */
export interface CallReader {
  /** Takes a piece. Gives what it makes certain: text that may be the beginning of a call is held back. */
  readonly add: (piece: string) => AnsweredPart
  /** Gives the rest. */
  readonly end: () => AnsweredPart
}

/** Options of a {@link callReader}. */
export interface CallReaderOptions {
  /** Names of the functions that there are. */
  readonly names: ReadonlyArray<string>
  /** Most calls; further ones are left out. */
  readonly most: number
  /** What the answer began with before its first piece. */
  readonly begin: string
}

/** Length of the longest end of a text that a mark begins with, without being all of it. */
function beginning(text: string, mark: string): number {
  let length = Math.min(text.length, mark.length - 1)
  while (!text.endsWith(mark.slice(0, length))) length--
  return length
}

/**
 * A reader of calls. What is no call stays text, as it is; white space before a call, and between the last one and the end, is
 * left out.
 */
export function callReader(
  { open, bare = false, read }: CallSpelling,
  { names, most, begin }: CallReaderOptions,
): CallReader {
  let held = begin
  let count = 0
  /** Whether calls alone were before what is held. */
  let fresh = true

  /** Where a call may begin in what is held, and what stands there: undefined where more must come, null where none is. */
  const next = (isWhole: boolean) => {
    const space = held.length - held.trimStart().length
    const rest = held.slice(space)
    if (bare && fresh && !rest.startsWith(open)) {
      if (!isWhole && open.startsWith(rest)) return { at: space, found: undefined }
      const found = rest === "" ? null : read(rest, isWhole)
      if (found === undefined) return { at: space, found }
      if (found !== null && found.calls.length > 0 && found.calls.every(({ name }) => names.includes(name))) {
        return { at: space, found }
      }
    }
    const at = held.indexOf(open)
    if (at !== -1) return { at, found: read(held.slice(at), isWhole) }
    return { at: held.length - (isWhole ? 0 : beginning(held, open)), found: null }
  }

  const take = (isWhole: boolean): AnsweredPart => {
    let text = ""
    const calls: Array<Call> = []
    /** Gives what is held up to a place, but not white space at its end unless `all` is. */
    const give = (to: number, all: boolean) => {
      const given = all ? held.slice(0, to) : held.slice(0, to).trimEnd()
      if (given !== "") fresh = false
      text += given
      held = held.slice(given.length)
    }
    for (;;) {
      const { at, found } = next(isWhole)
      if (found === undefined || found === null) {
        give(at, isWhole && !(fresh && count > 0 && held.trim() === ""))
        return { text, calls }
      }
      const isCall = found.calls.length > 0
      give(isCall ? at : at + found.length, !isCall)
      if (!isCall) continue
      held = held.trimStart().slice(found.length)
      fresh = true
      calls.push(...found.calls.slice(0, most - count))
      count += found.calls.length
    }
  }
  /** Length from which on what is held is read again: a long call is not for each of its pieces. */
  let due = 0
  return {
    add: (piece) => {
      held += piece
      if (held.length < due) return { text: "", calls: [] }
      const part = take(false)
      due = held.length + (held.length >> 6)
      return part
    },
    end: () => take(true),
  }
}
