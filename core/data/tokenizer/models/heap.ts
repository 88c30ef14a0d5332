/** A binary heap: the item that comes before all others is on top. */
export class Heap<Item> {
  readonly #items: Array<Item> = []
  readonly #before: (a: Item, b: Item) => boolean

  /** A heap in the order of `before`. */
  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before
  }

  /** The top item; undefined if there is none. */
  get top(): Item | undefined {
    return this.#items[0]
  }

  /** Adds an item. */
  push(item: Item): void {
    const items = this.#items
    let at = items.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(item, items[parent])) break
      items[at] = items[parent]
      at = parent
    }
    items[at] = item
  }

  /** Takes the top item away; undefined if there is none. */
  pop(): Item | undefined {
    const items = this.#items
    if (items.length < 2) return items.pop()
    const top = items[0]
    const item = items.pop()!
    let at = 0
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      if (child + 1 < items.length && this.#before(items[child + 1], items[child])) child++
      if (!this.#before(items[child], item)) break
      items[at] = items[child]
      at = child
    }
    items[at] = item
    return top
  }
}
