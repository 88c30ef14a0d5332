import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import { makeAutomaton, type State } from "./automaton.ts"
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
 * The texts of an expression, by a tokenizer's tokens. Throws {@link GrammarError} `Unmeetable`.
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
  const automaton = makeAutomaton(expression, alphabet)
  if (!automaton.start.open) {
    const [known] = [makeAutomaton(expression, Array.from({ length: 256 }, (_, byte) => byte)).start.open]
    const message = known ? `the tokenizer has no tokens for the characters of ${what}` : `no text meets ${what}`
    throw new GrammarError({ reason: "Unmeetable", message })
  }
  const marked = new Map<State, Allowed>()
  /** Tokens that may come in a state. */
  const allowedIn = (state: State): Allowed => {
    const known = marked.get(state)
    if (known !== undefined) return known
    const marks = new Uint8Array(tokenizer.vocabSize)
    mark(automaton, state, marks)
    const allowed = { marks, none: !marks.includes(1) }
    if (marked.size === KEPT) marked.delete(marked.keys().next().value!)
    marked.set(state, allowed)
    return allowed
  }
  const constraint = (): Constraint => {
    let state: State | null = automaton.start
    let count = 0
    const follow = (made: ReadonlyArray<number>) => {
      if (made.length < count) [state, count] = [automaton.start, 0]
      for (; count < made.length; count++) {
        for (const byte of bytes(made[count])) state = state && automaton.step(state, byte)
      }
      return state
    }
    return {
      bytes,
      restrict: (logits, made) => {
        const state = follow(made)
        if (state === null) return void logits.fill(-Infinity)
        const { marks } = allowedIn(state)
        const ends = state.accepts ? stop.map((id) => [id, logits[id]] as const) : []
        for (let id = 0; id < logits.length; id++) if (marks[id] !== 1) logits[id] = -Infinity
        for (const [id, logit] of ends) logits[id] = logit
      },
      complete: (made) => {
        if (stop.includes(made.at(-1)!)) return true
        const state = follow(made)
        return state !== null && state.accepts && (stop.length === 0 || allowedIn(state).none)
      },
    }
  }
  return { constraint }
}

interface Allowed {
  readonly marks: Uint8Array
  readonly none: boolean
}
