import { BYTES, type Edge, type Expression, isEdge } from "./expression.ts"

/** A place in a language: what may be left of a text. */
export interface State {
  /** Whether the text may end here. */
  readonly accepts: boolean
  /** Whether it can go on to its end with bytes of the alphabet. */
  readonly open: boolean
  /** What was found by each byte: null where it may not come. */
  readonly next: Array<State | null | undefined>
  /** Bytes that may come, each with what is left then. */
  readonly edges: ReadonlyArray<Edge<Node>>
}

/** A language as an automaton whose states are made as they are reached. */
export interface Automaton {
  readonly start: State
  /** The state after a byte, or null. Throws {@link TooWide}. */
  readonly step: (state: State, byte: number) => State | null
  /** Allows {@link WORK} from here on. */
  readonly allow: () => void
  /** Whether so much was made that it should be made anew. */
  readonly isLarge: () => boolean
}

/** A text may go on in more ways than are followed. */
export class TooWide extends Error {}

/** What is left of a text: an expression and what comes after it, or nothing. */
interface Node {
  readonly id: number
  readonly head?: Expression
  readonly tail?: Node
  /** Whether all of it is possible. */
  readonly open: boolean
  /** What stands before this, by its head. */
  readonly before: Map<Expression, Node>
  /** What it begins with. */
  first?: ReadonlyArray<Node | Edge<Node>>
}

/** Edges that are looked at, at most, until {@link Automaton.allow}: some tenths of a second. */
const WORK = 4_000_000
/** Nodes that are made at most, and what one counts as work. */
const NODES = 200_000, NODE_WORK = 10
/** Edges and entries of the states that are kept, in all; beyond, states are made anew. */
const KEPT = 2_000_000

/** The automaton of an expression whose texts can be written with the bytes of an alphabet, and others may come too. */
export function makeAutomaton(root: Expression, alphabet: Iterable<number>): Automaton {
  const possible = possibleIn(root, new Set(alphabet))
  let ids = 0
  let left = WORK
  const spend = (work: number) => {
    left -= work
    if (left < 0 || ids > NODES) throw new TooWide()
  }
  const end: Node = { id: ids++, open: true, before: new Map() }
  const before = (head: Expression, tail: Node): Node => {
    const known = tail.before.get(head)
    if (known !== undefined) return known
    spend(NODE_WORK)
    const node: Node = { id: ids++, head, tail, open: tail.open && possible(head), before: new Map() }
    tail.before.set(head, node)
    return node
  }
  /** Finds what nodes begin with: expressions in the place of others, each once, so that loops end. */
  const begun = (nodes: Iterable<Node>): Pick<State, "edges" | "accepts"> => {
    const edges: Array<Edge<Node>> = []
    const seen = new Set(nodes)
    for (const node of seen) {
      if (node.head === undefined) continue
      if (node.first === undefined) {
        spend(node.head.work ?? 0)
        node.first = node.head.begin(node.tail!, before)
      }
      spend(node.first.length)
      for (const first of node.first) {
        if (isEdge(first)) edges.push(first)
        else seen.add(first)
      }
    }
    return { edges, accepts: seen.has(end) }
  }
  let states = new Map<string, State>()
  let kept = 0
  const stateOf = (nodes: Set<Node>): State => {
    spend(nodes.size)
    const rests = [...nodes].sort((a, b) => a.id - b.id)
    const name = rests.map(({ id }) => id).join()
    const known = states.get(name)
    if (known !== undefined) return known
    const found = begun(rests)
    const state: State = { ...found, open: rests.some(({ open }) => open), next: new Array(256).fill(null) }
    for (const bytes of new Set(found.edges.map(({ bytes }) => bytes))) {
      for (const byte of bytes) state.next[byte] = undefined
    }
    if (kept > KEPT) {
      // Each holds those that come after it.
      for (const { next } of states.values()) next.fill(undefined)
      states = new Map()
      kept = 0
    }
    states.set(name, state)
    kept += 256 + rests.length + state.edges.length
    return state
  }
  return {
    start: stateOf(new Set([before(root, end)])),
    step: (state, byte) => {
      const known = state.next[byte]
      if (known !== undefined) return known
      spend(state.edges.length)
      const nodes = new Set<Node>()
      for (const { bytes, to } of state.edges) if (bytes.includes(byte)) nodes.add(to)
      return state.next[byte] = nodes.size === 0 ? null : stateOf(nodes)
    },
    allow: () => void (left = WORK),
    isLarge: () => ids > NODES / 2,
  }
}

/** Tells whether an expression has a text in an alphabet: the least solution for those that name each other. */
function possibleIn(root: Expression, alphabet: ReadonlySet<number>): (expression: Expression) => boolean {
  const known = new Map<Expression, boolean>(BYTES.map((byte, i) => [byte, alphabet.has(i)]))
  /** Expressions that each is a part of. */
  const users = new Map<Expression, Array<Expression>>([[root, []]])
  for (const [expression] of users) {
    if (!known.has(expression)) known.set(expression, false)
    for (const part of expression.parts()) {
      const own = users.get(part)
      if (own === undefined) users.set(part, [expression])
      else own.push(expression)
    }
  }
  const is = (expression: Expression): boolean => {
    const found = known.get(expression) ?? expression.possible(is)
    known.set(expression, found)
    return found
  }
  const waiting = [...users.keys()]
  for (let expression = waiting.pop(); expression !== undefined; expression = waiting.pop()) {
    if (known.get(expression) || !expression.possible(is)) continue
    known.set(expression, true)
    for (const user of users.get(expression)!) waiting.push(user)
  }
  return is
}
