/**
 * Harmless changes of the files of a model's directory: a field dropped, renamed, added, set to null or to another value. The same list
 * every time.
 * @module
 */
import {
  components,
  configFields,
  type Json,
  spellings,
  tokenizerConfigFields,
  tokenizerValues,
} from "./mutation_values.ts"

/** A change of one file. */
export interface Mutation {
  /** Directory of the fixture, as `4/llama2`. */
  readonly base: string
  readonly file: string
  readonly kind: "drop" | "rename" | "add" | "null" | "set" | "component" | "file"
  /** Keys down to the field. */
  readonly path: ReadonlyArray<string>
  /** New name of the field. */
  readonly to?: string
  readonly value?: Json
}

/** Files of a directory by name, parsed. */
export type Files = Readonly<Record<string, Json>>

type Random = (below: number) => number
type Fields = { readonly [key: string]: Json }

/** Whole numbers below a bound: mulberry32. */
const generator = (seed: number): Random => (below) => {
  seed = seed + 0x6D2B79F5 | 0
  let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
  mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
  return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * below)
}
const pick = <A>(random: Random, all: ReadonlyArray<A>): A => all[random(all.length)]
const isFields = (value: Json | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Vocabularies and merges are data: a tokenizer without one of its tokens is another one. */
const DATA = ["vocab", "merges"]

/** Paths of all fields below a value. */
const pathsOf = (value: Json, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> => {
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).filter(([key]) => !DATA.includes(key)).flatMap(([key, inner]) => [
    // Places in a list are not fields.
    ...Array.isArray(value) ? [] : [[...path, key]],
    ...pathsOf(inner, [...path, key]),
  ])
}
const at = (value: Json, path: ReadonlyArray<string>): Json | undefined =>
  path.reduce<Json | undefined>((inner, key) => (inner as Fields | undefined)?.[key], value)

/** A name as a hasty or another hand writes it. */
const misspelled = (random: Random, name: string): string => {
  const known = spellings.flatMap(([a, b]) => name === a ? [b] : name === b ? [a] : [])
  if (known.length > 0 && random(3) > 0) return pick(random, known)
  const where = 1 + random(Math.max(1, name.length - 2))
  return pick(random, [
    () => name.slice(0, where) + name.slice(where + 1),
    () => name.slice(0, where) + name[where] + name.slice(where),
    () => name + "s",
    () => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()) + (name.includes("_") ? "" : "_"),
    () => "_" + name,
  ])()
}

/** Where it may go wrong most is drawn from most. */
const FILES: ReadonlyArray<readonly [string, number]> = [
  ["config.json", 44],
  ["tokenizer.json", 27],
  ["tokenizer_config.json", 19],
  ["special_tokens_map.json", 5],
  ["added_tokens.json", 2],
  ["generation_config.json", 3],
]

const drawFile = (random: Random): string => {
  let left = random(FILES.reduce((sum, [, weight]) => sum + weight, 0))
  return FILES.find(([, weight]) => (left -= weight) < 0)![0]
}

/** A file that is not there, written. */
const newFile = (
  random: Random,
  file: string,
  tokens: ReadonlyArray<string>,
): Pick<Mutation, "kind" | "path" | "value"> => {
  const role = pick(random, ["eos_token", "pad_token", "mask_token", "bos_token", "unk_token"])
  const token = pick(random, tokens)
  const values: Readonly<Record<string, ReadonlyArray<Json>>> = {
    "special_tokens_map.json": [{ [role]: token }, { [role]: { content: token, lstrip: false, rstrip: false } }, {}],
    "added_tokens.json": [{}, { [token]: tokens.indexOf(token) }],
    "generation_config.json": [{ eos_token_id: 3 }],
  }
  return { kind: "file", path: [role], value: pick(random, values[file]) }
}

const added = (random: Random, file: string, content: Json): Pick<Mutation, "path" | "value"> => {
  if (file === "config.json") {
    const [name, value] = pick(random, configFields)
    // The body's new length is told by the field beside it.
    return { path: [name], value }
  }
  if (file !== "tokenizer.json") {
    const [name, value] = pick(random, tokenizerConfigFields)
    return { path: [name], value }
  }
  const parents = [[], ...pathsOf(content).filter((path) => isFields(at(content, path)))]
  const names = [...Object.keys(tokenizerValues), "add_prefix_space", "lowercase", "invert", "espalier_note"]
  const name = pick(random, names)
  return { path: [...pick(random, parents), name], value: pick(random, tokenizerValues[name] ?? [true, false]) }
}

const changeOf = (random: Random, file: string, content: Json): Omit<Mutation, "base" | "file"> | undefined => {
  const paths = pathsOf(content)
  if (paths.length === 0) return { kind: "add", ...added(random, file, content) }
  const path = pick(random, paths)
  const last = path[path.length - 1]
  switch (pick(random, ["drop", "drop", "rename", "rename", "add", "add", "add", "null", "set", "set", "component"])) {
    case "drop":
      return { kind: "drop", path }
    case "rename":
      return { kind: "rename", path, to: misspelled(random, last) }
    case "add":
      return { kind: "add", ...added(random, file, content) }
    case "null":
      return { kind: "null", path, value: null }
    case "set": {
      const old = at(content, path)
      if (typeof old === "boolean") return { kind: "set", path, value: !old }
      if (file !== "tokenizer.json" || tokenizerValues[last] === undefined) return undefined
      return { kind: "set", path, value: pick(random, tokenizerValues[last]) }
    }
    case "component": {
      if (file !== "tokenizer.json") return undefined
      const name = pick(random, Object.keys(components))
      return { kind: "component", path: [name], value: pick(random, components[name]) }
    }
  }
}

/** The files after a change. */
export const mutate = (files: Files, { file, kind, path, to, value }: Mutation): Files => {
  if (kind === "file") return { ...files, [file]: value! }
  const change = (inner: Json | undefined, rest: ReadonlyArray<string>): Json => {
    const [key, ...deeper] = rest
    if (Array.isArray(inner)) return inner.map((item, i) => `${i}` === key ? change(item, deeper) : item)
    const fields = isFields(inner) ? inner : {}
    if (deeper.length > 0) return { ...fields, [key]: change(fields[key], deeper) }
    const entries = Object.entries(fields)
    if (kind === "drop") return Object.fromEntries(entries.filter(([name]) => name !== key))
    // A new name stands where the old one stood.
    if (kind === "rename") return Object.fromEntries(entries.map(([name, old]) => [name === key ? to! : name, old]))
    return { ...fields, [key]: value! }
  }
  return { ...files, [file]: change(files[file], path) }
}

/**
 * Changes of directories, each another one, without those that leave the file as it was.
 *
 * @param directories parsed files by directory
 * @param tokens what some vocabulary has, to be named by new files
 */
export const mutations = (
  directories: ReadonlyMap<string, Files>,
  count: number,
  seed = 13,
): ReadonlyArray<Mutation> => {
  const random = generator(seed)
  const found = new Map<string, Mutation>()
  while (found.size < count) {
    const file = drawFile(random)
    const base = pick(random, [...directories.keys()])
    const files = directories.get(base)!
    const tokenizer = files["tokenizer.json"] as
      | { readonly added_tokens: ReadonlyArray<{ content: string }> }
      | undefined
    if (files[file] === undefined && (tokenizer === undefined || file === "tokenizer.json")) continue
    const change = files[file] === undefined
      ? newFile(random, file, tokenizer!.added_tokens.map(({ content }) => content))
      : changeOf(random, file, files[file])
    if (change === undefined) continue
    const mutation: Mutation = { base, file, ...change }
    if (JSON.stringify(mutate(files, mutation)) === JSON.stringify(files)) continue
    found.set(JSON.stringify(mutation), mutation)
  }
  return [...found.values()]
}
