/**
 * Which of a few slots holds what: the one that was used longest ago, and is not in use, gives way.
 * @module
 */

/** A slot that holds something. */
export interface Held<Key> {
  readonly key: Key
  readonly slot: number
  /** How many use it now. */
  users: number
  /** Whether it is free again once nothing uses it. */
  dropped: boolean
}

/** A table of slots. */
export interface SlotTable<Key> {
  /** Slots of some things, each then used once more; undefined where there is not room for all. Calls `write` for a new one. */
  readonly take: (
    keys: ReadonlyArray<Key>,
    write: (key: Key, slot: number) => void,
  ) => ReadonlyArray<Held<Key>> | undefined
  /** Ends one use of each. */
  readonly release: (held: ReadonlyArray<Held<Key>>) => void
  /** Forgets what a slot holds; those that use it go on. */
  readonly drop: (key: Key) => void
}

/** A table of empty slots with these numbers. */
export function slotTable<Key>(numbers: ReadonlyArray<number>): SlotTable<Key> {
  const free = [...numbers]
  /** In the order of use: what was used last is last. */
  const all = new Map<Key, Held<Key>>()
  /** The slot that was used longest ago of those that nothing uses. */
  const oldest = (): number => {
    const [key, { slot }] = [...all].find(([, { users }]) => users === 0)!
    all.delete(key)
    return slot
  }
  const hasRoom = (wanted: ReadonlySet<Key>): boolean => {
    const fresh = [...wanted].filter((key) => !all.has(key)).length
    if (fresh <= free.length) return true
    const idle = [...all].filter(([key, { users }]) => users === 0 && !wanted.has(key)).length
    return fresh <= free.length + idle
  }
  const touch = (held: Held<Key>): void => {
    all.delete(held.key)
    all.set(held.key, held)
  }
  const use = (held: Held<Key>): Held<Key> => {
    touch(held)
    held.users++
    return held
  }
  return {
    take: (keys, write) => {
      if (!hasRoom(new Set(keys))) return undefined
      // What is there already is in use before anything gives way.
      for (const key of keys) if (all.has(key)) use(all.get(key)!)
      const there = new Set(all.keys())
      return keys.map((key) => {
        if (there.has(key)) return all.get(key)!
        const found = all.get(key)
        if (found !== undefined) return use(found)
        const held = { key, slot: free.pop() ?? oldest(), users: 0, dropped: false }
        write(key, held.slot)
        return use(held)
      })
    },
    release: (held) => {
      for (const one of held) {
        one.users--
        if (!one.dropped) touch(one)
        else if (one.users === 0) free.push(one.slot)
      }
    },
    drop: (key) => {
      const held = all.get(key)
      if (held === undefined) return
      all.delete(key)
      held.dropped = true
      if (held.users === 0) free.push(held.slot)
    },
  }
}
