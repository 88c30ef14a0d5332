/** Numbers by pairs of whole numbers from 0 on, in flat arrays. */
export class PairTable {
  #first: Int32Array
  #second: Int32Array
  #values: Int32Array
  #mask: number
  #size = 0

  /** Makes room for about so many pairs. */
  constructor(expected = 16) {
    let room = 32
    while (room < expected * 2) room *= 2
    this.#mask = room - 1
    this.#first = new Int32Array(room).fill(-1)
    this.#second = new Int32Array(room)
    this.#values = new Int32Array(room)
  }

  #slot(first: number, second: number): number {
    let slot = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)
    slot = (slot ^ (slot >>> 15)) & this.#mask
    while (this.#first[slot] !== -1 && (this.#first[slot] !== first || this.#second[slot] !== second)) {
      slot = (slot + 1) & this.#mask
    }
    return slot
  }

  /** The number of a pair; -1 without one. */
  get(first: number, second: number): number {
    const slot = this.#slot(first, second)
    return this.#first[slot] === -1 ? -1 : this.#values[slot]
  }

  /** Sets the number of a pair. */
  set(first: number, second: number, value: number): void {
    let slot = this.#slot(first, second)
    if (this.#first[slot] === -1) {
      if (++this.#size * 2 > this.#mask) {
        this.#grow()
        slot = this.#slot(first, second)
      }
      this.#first[slot] = first
      this.#second[slot] = second
    }
    this.#values[slot] = value
  }

  #grow(): void {
    const [first, second, values] = [this.#first, this.#second, this.#values]
    const room = first.length * 2
    this.#mask = room - 1
    this.#first = new Int32Array(room).fill(-1)
    this.#second = new Int32Array(room)
    this.#values = new Int32Array(room)
    for (let at = 0; at < first.length; at++) {
      if (first[at] === -1) continue
      const slot = this.#slot(first[at], second[at])
      this.#first[slot] = first[at]
      this.#second[slot] = second[at]
      this.#values[slot] = values[at]
    }
  }
}
