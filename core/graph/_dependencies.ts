/** What is needed and what needs it. */
interface Entry<A> {
  readonly needs: Set<A>
  readonly users: Set<A>
  /** Above the levels of all that is needed. */
  level: number
}

/** Who rests on whom, while more is added and merged. Never in a circle: the caller asks {@link rests} first. */
export class Dependencies<A> {
  readonly #entries = new Map<A, Entry<A>>()

  /** Takes in something that needs nothing yet. */
  add(thing: A): void {
    this.#entries.set(thing, { needs: new Set(), users: new Set(), level: 0 })
  }

  /** What it needs at once. */
  needsOf(thing: A): ReadonlySet<A> {
    return this.#entries.get(thing)!.needs
  }

  /** Lets `thing` need `other`. */
  need(thing: A, other: A): void {
    const below = this.#entries.get(other)!
    this.#entries.get(thing)!.needs.add(other)
    below.users.add(thing)
    this.#raise(thing, below.level + 1)
  }

  /** Whether `thing` is `other` or needs it by some way. */
  rests(thing: A, other: A): boolean {
    return this.#lead([thing], other)
  }

  /** Whether `thing` needs `other` by way of something else. */
  restsBetween(thing: A, other: A): boolean {
    const needs = new Set(this.needsOf(thing))
    needs.delete(other)
    return this.#lead(needs, other)
  }

  /** Nothing below the level of `other` can lead there. */
  #lead(things: Iterable<A>, other: A): boolean {
    const { level } = this.#entries.get(other)!
    const seen = new Set(things)
    for (const each of seen) {
      if (each === other) return true
      const entry = this.#entries.get(each)!
      if (entry.level <= level) continue
      for (const next of entry.needs) seen.add(next)
    }
    return false
  }

  /** Lets `into` need what `other` needs and stand wherever it is needed; `other` is gone. */
  merge(into: A, other: A): void {
    const { needs, users } = this.#entries.get(other)!
    this.#entries.delete(other)
    for (const need of needs) this.#entries.get(need)!.users.delete(other)
    for (const user of users) this.#entries.get(user)!.needs.delete(other)
    for (const need of needs) if (need !== into) this.need(into, need)
    for (const user of users) if (user !== into) this.need(user, into)
  }

  #raise(thing: A, level: number): void {
    const open = [{ thing, level }]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const entry = this.#entries.get(next.thing)!
      if (entry.level >= next.level) continue
      entry.level = next.level
      for (const user of entry.users) open.push({ thing: user, level: next.level + 1 })
    }
  }
}
