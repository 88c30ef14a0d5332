/** Token pairs by how often they occur, the most frequent on top; ties go to the smaller key. */
export class PairHeap {
  readonly #counts: Array<number> = []
  readonly #keys: Array<number> = []

  /** Adds a pair with its count. */
  push(key: number, count: number): void {
    let at = this.#keys.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(key, count, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#keys[at] = key
    this.#counts[at] = count
  }

  /** Takes the top pair away; undefined when there is none. */
  pop(): { readonly key: number; readonly count: number } | undefined {
    if (this.#keys.length === 0) return undefined
    const top = { key: this.#keys[0], count: this.#counts[0] }
    const key = this.#keys.pop()!
    const count = this.#counts.pop()!
    const size = this.#keys.length
    if (size === 0) return top
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && this.#before(this.#keys[child + 1], this.#counts[child + 1], child)) child++
      if (this.#before(key, count, child)) break
      this.#move(child, at)
      at = child
    }
    this.#keys[at] = key
    this.#counts[at] = count
    return top
  }

  #before(key: number, count: number, other: number): boolean {
    return count > this.#counts[other] || (count === this.#counts[other] && key < this.#keys[other])
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from]
    this.#counts[to] = this.#counts[from]
  }
}
