import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts"
import type { Automaton, State } from "./automaton.ts"
import { tokenBytes } from "./token_bytes.ts"

/** Tokens by their bytes: the nodes of a tree, each before those below it. */
interface Tree {
  readonly byte: Uint8Array
  readonly depth: Uint16Array
  /** Index after the nodes below. */
  readonly after: Int32Array
  /** Ids of the tokens that end at a node: from this index of `tokens` to that of the next. */
  readonly first: Int32Array
  readonly tokens: Int32Array
}

/** What a tokenizer can write. */
export interface Writer {
  /** Bytes of a token. */
  readonly bytes: (token: number) => Uint8Array
  /** Bytes that are tokens of their own. */
  readonly alphabet: ReadonlySet<number>
  /** Marks with 1 the tokens after which a text can go on to its end. */
  readonly mark: (automaton: Automaton, state: State, marks: Uint8Array) => void
}

const writers = new WeakMap<Tokenizer, Writer>()

/** The writer of a tokenizer. */
export function writerOf(tokenizer: Tokenizer): Writer {
  const known = writers.get(tokenizer)
  if (known !== undefined) return known
  const bytes = tokenBytes(tokenizer)
  const tree = treeOf(bytes)
  const writer: Writer = {
    bytes: (token) => bytes[token] ?? NONE,
    alphabet: new Set(bytes.flatMap((own) => own?.length === 1 ? [own[0]] : [])),
    mark: (automaton, state, marks) => mark(tree, automaton, state, marks),
  }
  writers.set(tokenizer, writer)
  return writer
}

const NONE = new Uint8Array(0)

const compare = (a: Uint8Array, b: Uint8Array): number => {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] - b[i]
  return a.length - b.length
}

function treeOf(bytes: ReadonlyArray<Uint8Array | undefined>): Tree {
  const ids = bytes.flatMap((own, id) => own === undefined || own.length === 0 ? [] : [id])
    .sort((a, b) => compare(bytes[a]!, bytes[b]!) || a - b)
  const [byte, depth, after, first]: ReadonlyArray<Array<number>> = [[], [], [], []]
  const open: Array<number> = []
  const close = (depth: number) => {
    while (open.length > depth) after[open.pop()!] = byte.length
  }
  ids.forEach((id, at) => {
    const own = bytes[id]!
    let shared = 0
    while (shared < open.length && byte[open[shared]] === own[shared]) shared++
    close(shared)
    for (let i = shared; i < own.length; i++) {
      open.push(byte.length)
      byte.push(own[i])
      depth.push(i)
      first.push(at)
    }
  })
  close(0)
  first.push(ids.length)
  return {
    byte: Uint8Array.from(byte),
    depth: Uint16Array.from(depth),
    after: Int32Array.from(after),
    first: Int32Array.from(first),
    tokens: Int32Array.from(ids),
  }
}

function mark({ byte, depth, after, first, tokens }: Tree, { step }: Automaton, start: State, marks: Uint8Array): void {
  const path: Array<State> = [start]
  for (let i = 0; i < byte.length;) {
    const state = step(path[depth[i]], byte[i])
    if (state === null) {
      i = after[i]
      continue
    }
    path[depth[i] + 1] = state
    if (state.open) { for (let at = first[i]; at < first[i + 1]; at++) marks[tokens[at]] = 1 }
    i++
  }
}
