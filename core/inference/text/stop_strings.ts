import { mustBe } from "../../options/check.ts"

/** Looks for stop strings in a text that comes in pieces. */
export interface StopSearch {
  /**
   * Takes a piece of the text, and the text after it that may still change. Gives what no stop string begins in; `found` with
   * the text before the first stop string in the text so far, where there is one.
   */
  readonly add: (piece: string, rest: string) => { readonly text: string; readonly found?: string }
  /** Text of the pieces that was not given, for a stop string may begin there. */
  readonly rest: () => string
}

/** What is wrong with stop strings, or nothing. */
export function wrongStopStrings(strings: unknown): string | undefined {
  if (Array.isArray(strings) && strings.every((one) => typeof one === "string" && one !== "")) return
  return mustBe("stopStrings", "a list of texts, none of them empty", strings).message
}

/** A search for the first of `strings`; of those that begin at one place, the shortest. */
export function stopSearch(strings: ReadonlyArray<string>): StopSearch {
  let held = ""
  const find = (text: string) =>
    strings.map((found) => ({ found, at: text.indexOf(found) })).filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at || a.found.length - b.found.length)[0]
  return {
    add: (piece, rest) => {
      held += piece
      const first = find(held + rest)
      if (first !== undefined) return { text: (held + rest).slice(0, first.at), found: first.found }
      const open = Math.max(...strings.map((one) => overlap(held, one)), 0)
      const text = held.slice(0, held.length - open)
      held = held.slice(text.length)
      return { text }
    },
    rest: () => held,
  }
}

/** Length of the longest end of the text that a longer string begins with. */
function overlap(text: string, string: string): number {
  let length = Math.min(text.length, string.length - 1)
  while (!text.endsWith(string.slice(0, length))) length--
  return length
}
