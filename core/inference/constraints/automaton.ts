import { BYTES, type Edge, type Expression, isEdge } from "./expression.ts"

/** A place in a language: what may be left of a text. */
export interface State {
  /** Whether the text may end here. */
  readonly accepts: boolean
  /** Whether it can go on to its end with bytes of the alphabet. */
  readonly open: boolean
  /** What was found by each byte: null where it may not come. */
  readonly next: Array<State | null | undefined>
  readonly rests: ReadonlyArray<Node>
}

/** A language as an automaton whose states are made as they are reached. */
export interface Automaton {
  readonly start: State
  /** The state after a byte, or null. */
  readonly step: (state: State, byte: number) => State | null
}

/** What is left of a text: an expression and what comes after it, or nothing. */
interface Node {
  readonly id: number
  readonly head?: Expression
  readonly tail?: Node
  /** Whether all of it is possible. */
  readonly open: boolean
  /** What stands before this, by its head. */
  readonly before: Map<Expression, Node>
  edges?: ReadonlyArray<Edge<Node>>
  accepts?: boolean
}

/** States that are kept; beyond, they are made anew. */
const KEPT = 20_000

/** The automaton of an expression whose texts can be written with the bytes of an alphabet, and others may come too. */
export function makeAutomaton(root: Expression, alphabet: Iterable<number>): Automaton {
  const possible = possibleIn(root, new Set(alphabet))
  let ids = 0
  const end: Node = { id: ids++, open: true, before: new Map() }
  const before = (head: Expression, tail: Node): Node => {
    const known = tail.before.get(head)
    if (known !== undefined) return known
    const node: Node = { id: ids++, head, tail, open: tail.open && possible(head), before: new Map() }
    tail.before.set(head, node)
    return node
  }
  /** Finds what a node may begin with: expressions in the place of others, each once, so that loops end. */
  const open = (node: Node): void => {
    const edges: Array<Edge<Node>> = []
    const seen = new Set([node])
    for (const { head, tail } of seen) {
      if (head === undefined) continue
      for (const first of head.begin(tail!, before)) {
        if (isEdge(first)) edges.push(first)
        else seen.add(first)
      }
    }
    node.edges = edges
    node.accepts = seen.has(end)
  }
  let states = new Map<string, State>()
  const stateOf = (nodes: Set<Node>): State => {
    const rests = [...nodes].sort((a, b) => a.id - b.id)
    const name = rests.map(({ id }) => id).join()
    const known = states.get(name)
    if (known !== undefined) return known
    for (const node of rests) if (node.edges === undefined) open(node)
    const state: State = {
      accepts: rests.some(({ accepts }) => accepts),
      open: rests.some(({ open }) => open),
      next: new Array(256).fill(undefined),
      rests,
    }
    if (states.size >= KEPT) states = new Map()
    states.set(name, state)
    return state
  }
  return {
    start: stateOf(new Set([before(root, end)])),
    step: (state, byte) => {
      const known = state.next[byte]
      if (known !== undefined) return known
      const nodes = new Set<Node>()
      for (const { edges } of state.rests) for (const { bytes, to } of edges!) if (bytes.includes(byte)) nodes.add(to)
      return state.next[byte] = nodes.size === 0 ? null : stateOf(nodes)
    },
  }
}

/** Tells whether an expression has a text in an alphabet: the least solution for those that name each other. */
function possibleIn(root: Expression, alphabet: ReadonlySet<number>): (expression: Expression) => boolean {
  const known = new Map<Expression, boolean>(BYTES.map((byte, i) => [byte, alphabet.has(i)]))
  const reached = new Set([root])
  for (const expression of reached) for (const part of expression.parts()) reached.add(part)
  const open = [...reached].filter((expression) => !known.has(expression)).reverse()
  for (const expression of open) known.set(expression, false)
  const is = (expression: Expression): boolean => {
    const found = known.get(expression) ?? expression.possible(is)
    known.set(expression, found)
    return found
  }
  for (let changed = true; changed;) {
    changed = false
    for (const expression of open) {
      if (known.get(expression) || !expression.possible(is)) continue
      known.set(expression, true)
      changed = true
    }
  }
  return is
}
