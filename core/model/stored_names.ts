/** Wrappers whose mark stands before, or within, the names of what they wrap: no module of a model is called so. */
const WITHIN = /(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g
/** Wrappers that every name of a file begins with. */
const BEFORE = ["module.", "base_model.model."]

/** Tensors under the names that they had before the model was wrapped. */
export interface StoredNames<A> {
  readonly tensors: ReadonlyMap<string, A>
  /** What was taken off, for a person. */
  readonly notes: ReadonlyArray<string>
}

/**
 * Takes off what compiling, sharding and adapting leave in names, where it is certain: no two names become one, and what
 * stands before a name stands before all. `expected` are the model's own names, which stay.
 */
export function unwrapNames<A>(tensors: ReadonlyMap<string, A>, expected: ReadonlySet<string>): StoredNames<A> {
  const stored = [...tensors.keys()]
  const marks = new Set<string>()
  const inner = stored.map((name) => {
    if (expected.has(name)) return name
    const plain = name.replace(WITHIN, (_, before, mark) => (marks.add(`${mark}.`), before)).replaceAll("..", ".")
    return plain.replace(/^\./, "")
  })
  let names = inner
  for (const mark of BEFORE) {
    if (names.length === 0 || !names.every((name) => name.startsWith(mark))) continue
    if (names.some((name) => expected.has(name))) break
    marks.add(mark)
    names = names.map((name) => name.slice(mark.length))
  }
  if (marks.size === 0 || new Set(names).size < names.length) return { tensors, notes: [] }
  const notes = [`the names in the files carry ${[...marks].join(" and ")}, which a wrapper left: read without it`]
  return { tensors: new Map(names.map((name, i) => [name, tensors.get(stored[i])!])), notes }
}
