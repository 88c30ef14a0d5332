const encoder = new TextEncoder()

/** Appends little-endian values to bytes that grow. */
export class ByteSink {
  #bytes = new Uint8Array(1 << 16)
  #view = new DataView(this.#bytes.buffer)
  length = 0

  #room(count: number): number {
    const at = this.length
    this.length += count
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.length)
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }

  /** A value of a fixed size by its setter of `DataView`. */
  put<V extends number | bigint>(
    set: (this: DataView, at: number, value: V, little: boolean) => void,
    bytes: number,
    value: V,
  ) {
    const at = this.#room(bytes)
    set.call(this.#view, at, value, true)
  }

  uint32(value: number): void {
    this.put(this.#view.setUint32, 4, value)
  }

  uint64(value: number): void {
    this.put(this.#view.setBigUint64, 8, BigInt(value))
  }

  string(value: string): void {
    const bytes = encoder.encode(value)
    this.uint64(bytes.length)
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
  }

  pad(alignment: number): void {
    this.#room(padding(this.length, alignment))
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length)
  }
}

/** Bytes from a length up to the next multiple of the alignment. */
export const padding = (length: number, alignment: number): number => (alignment - length % alignment) % alignment
