import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { type Automaton, makeAutomaton, type State, TooWide } from "./automaton.ts"
import type { Constraint } from "./constraint.ts"
import type { Expression } from "./expression.ts"
import { GrammarError } from "./grammar_error.ts"
import { writerOf } from "./token_trie.ts"

/** A language that rows can be held to. What it finds out for one row serves all. */
export interface Grammar {
  /** A constraint for a row: it ends when its text is one of the language and nothing may follow, or by an end token. */
  readonly constraint: () => Constraint
}

/** Options of a grammar. */
export interface GrammarOptions {
  /** Ids of the tokens that may end a text where it could go on. Default: the tokenizer's end token. */
  readonly stop?: ReadonlyArray<number>
}

/** Sets of tokens that are kept for later steps. */
const KEPT = 64

/**
 * The texts of an expression, by a tokenizer's tokens. Throws {@link GrammarError} `Unmeetable`, or `Limit`.
 *
 * @param what Names them in messages.
 */
export function makeGrammar(
  expression: Expression,
  tokenizer: Tokenizer,
  what: string,
  { stop = tokenizer.eosId === undefined ? [] : [tokenizer.eosId] }: GrammarOptions = {},
): Grammar {
  const { alphabet, bytes, mark } = writerOf(tokenizer)
  const make = () => makeAutomaton(expression, alphabet)
  const marked = new Map<State, Allowed>()
  /** Tokens that may come in a state: none where there are too many ways to go on. */
  const allowedIn = (automaton: Automaton, state: State): Allowed => {
    const known = marked.get(state)
    if (known !== undefined) return known
    const marks = new Uint8Array(tokenizer.vocabSize)
    automaton.allow()
    const tooWide = isTooWide(() => mark(automaton, state, marks))
    if (tooWide) marks.fill(0)
    const allowed = { marks, tooWide, none: !marks.includes(1) }
    if (marked.size === KEPT) marked.delete(marked.keys().next().value!)
    marked.set(state, allowed)
    return allowed
  }
  let automaton!: Automaton
  if (isTooWide(() => automaton = make()) || allowedIn(automaton, automaton.start).tooWide) {
    throw new GrammarError({
      reason: "Limit",
      message: `${what} allows too many ways to begin: give fewer alternatives`,
    })
  }
  if (!automaton.start.open) {
    const [known] = [makeAutomaton(expression, Array.from({ length: 256 }, (_, byte) => byte)).start.open]
    const message = known ? `the tokenizer has no tokens for the characters of ${what}` : `no text meets ${what}`
    throw new GrammarError({ reason: "Unmeetable", message })
  }
  const constraint = (): Constraint => {
    if (automaton.isLarge()) automaton = make()
    const own = automaton
    let state: State | null = own.start
    let count = 0
    const follow = (made: ReadonlyArray<number>) => {
      if (made.length < count) [state, count] = [own.start, 0]
      own.allow()
      for (; count < made.length; count++) {
        for (const byte of bytes(made[count])) {
          const tooWide = isTooWide(() => state = state && own.step(state, byte))
          if (tooWide) state = null
        }
      }
      return state
    }
    return {
      bytes,
      restrict: (logits, made) => {
        const state = follow(made)
        if (state === null) return void logits.fill(-Infinity)
        const { marks } = allowedIn(own, state)
        const ends = state.accepts ? stop.map((id) => [id, logits[id]] as const) : []
        for (let id = 0; id < logits.length; id++) if (marks[id] !== 1) logits[id] = -Infinity
        for (const [id, logit] of ends) logits[id] = logit
      },
      complete: (made) => {
        if (stop.includes(made.at(-1)!)) return true
        const state = follow(made)
        return state !== null && state.accepts && (stop.length === 0 || allowedIn(own, state).none)
      },
    }
  }
  return { constraint }
}

interface Allowed {
  readonly marks: Uint8Array
  readonly none: boolean
  readonly tooWide: boolean
}

/** Whether there were too many ways to go on. */
function isTooWide(follow: () => void): boolean {
  try {
    follow()
    return false
  } catch (error) {
    if (error instanceof TooWide) return true
    throw error
  }
}
