/** A node of the dependency graph. */
interface Entry {
  readonly needs: Set<Entry>
  readonly users: Set<Entry>
  /** More than the levels of all needs. */
  level: number
  /** The need that had the highest level when it was added. */
  parent: Entry | undefined
  /** Number of ancestors. */
  depth: number
  /** An ancestor, often a distant one: a walk along ancestors takes about log(depth) steps. */
  jump: Entry | undefined
  /** The entry it was merged into. */
  into: Entry | undefined
}

const entry = (): Entry => ({
  needs: new Set(),
  users: new Set(),
  level: 0,
  parent: undefined,
  depth: 0,
  jump: undefined,
  into: undefined,
})

/** The entry that this one was merged into, or itself. */
function now(one: Entry): Entry {
  while (one.into !== undefined) one = one.into
  return one
}

/**
 * An incremental dependency graph: entries are added and merged. It has no cycle: the caller asks {@link dependsOn} first.
 *
 * Most questions are answered without a walk over everything in between: parents are a known path, and a dependency
 * remains when more is added and merged.
 */
export class Dependencies<A> {
  readonly #entries = new Map<A, Entry>()
  readonly #things = new Map<Entry, A>()

  /** Adds a thing that needs nothing yet. */
  add(thing: A): void {
    const own = entry()
    this.#entries.set(thing, own)
    this.#things.set(own, thing)
  }

  /** Its direct needs. */
  needsOf(thing: A): ReadonlyArray<A> {
    return Array.from(this.#entries.get(thing)!.needs, (need) => this.#things.get(need)!)
  }

  /** Makes `thing` depend on `other`. */
  need(thing: A, other: A): void {
    link(this.#entries.get(thing)!, this.#entries.get(other)!)
  }

  /** Whether `thing` is `other` or depends on it, directly or not. */
  dependsOn(thing: A, other: A): boolean {
    return thing === other || leads(this.#entries.get(thing)!, this.#entries.get(other)!, false)
  }

  /** Whether `thing` depends on `other` through another thing. */
  dependsThrough(thing: A, other: A): boolean {
    return thing !== other && leads(this.#entries.get(thing)!, this.#entries.get(other)!, true)
  }

  /** Moves the needs and users of `other` to `into` and removes `other`. */
  merge(into: A, other: A): void {
    const target = this.#entries.get(into)!, gone = this.#entries.get(other)!
    this.#entries.delete(other)
    this.#things.delete(gone)
    for (const need of gone.needs) need.users.delete(gone)
    for (const user of gone.users) user.needs.delete(gone)
    gone.into = target
    if (target.parent !== undefined && now(target.parent) === target) target.parent = undefined
    for (const need of target.needs) link(target, need)
    for (const need of gone.needs) if (need !== target) link(target, need)
    for (const user of gone.users) if (user !== target) link(user, target)
  }
}

function link(upper: Entry, lower: Entry): void {
  upper.needs.add(lower)
  lower.users.add(upper)
  if (upper.parent === undefined || now(upper.parent).level < lower.level) setParent(upper, lower)
  raise(upper, lower.level + 1)
}

/** Jumps are as long as the two before them together (Myers, "An applicative random-access stack", 1983). */
function setParent(upper: Entry, lower: Entry): void {
  const { jump, depth } = lower
  const joined = jump?.jump !== undefined && depth - jump.depth === jump.depth - jump.jump.depth
  upper.parent = lower
  upper.depth = depth + 1
  upper.jump = joined ? jump.jump : lower
}

function raise(one: Entry, level: number): void {
  if (one.level >= level) return
  one.level = level
  const open = [one]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const user of next.users) {
      if (user.level > next.level) continue
      user.level = next.level + 1
      open.push(user)
    }
  }
}

/** Whether `lower` is an ancestor of `upper`. */
function known(upper: Entry, lower: Entry): boolean {
  let at = upper
  while (at.level > lower.level && at.parent !== undefined) {
    const far = now(at.jump!)
    at = far.level >= lower.level ? far : now(at.parent)
  }
  return at === lower
}

/**
 * Whether a path leads from `upper` down to `lower`, another entry; with `between`, a path through a third one. Searches
 * from both ends in turn: down from `upper` along needs, up from `lower` along users. If one end has no entries left,
 * there is no path.
 */
function leads(upper: Entry, lower: Entry, between: boolean): boolean {
  if (upper.level <= lower.level) return false
  const below = new Set([upper]), above = new Set([lower])
  const down = below.values(), up = above.values()
  while (true) {
    const high = down.next().value
    if (high === undefined) return false
    for (const need of high.needs) {
      if (need.level < lower.level || below.has(need)) continue
      if (need === lower) {
        if (between && high === upper) continue
        return true
      }
      if (need.level > lower.level) {
        if (known(need, lower)) return true
        below.add(need)
      }
    }
    const low = up.next().value
    if (low === undefined) return false
    for (const user of low.users) {
      if (user.level > upper.level || above.has(user)) continue
      if (user === upper) {
        if (between && low === lower) continue
        return true
      }
      if (user.level < upper.level) {
        if (known(upper, user)) return true
        above.add(user)
      }
    }
  }
}
