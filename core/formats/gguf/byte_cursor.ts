import { GgufError, type GgufErrorFields } from "./gguf_error.ts"

/** The bytes that were given end before the file does: more of it is needed. */
export class NeedsMore extends Error {}

/** Reads numbers and texts of a file one after another. What the file cannot hold is an error before it is looked for. */
export class ByteCursor {
  /** How errors name the file. */
  readonly file: string
  /** The beginning of the file. */
  readonly bytes: Uint8Array
  /** Bytes of the whole file. */
  readonly fileSize: number
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array, fileSize: number, file: string) {
    this.bytes = bytes
    this.fileSize = fileSize
    this.file = file
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Place of the next byte. */
  get at(): number {
    return this.#at
  }

  /** Throws a {@link GgufError}. */
  fail(reason: GgufErrorFields["reason"], what: string): never {
    throw new GgufError({ reason, file: this.file, message: `"${this.file}": ${what}` })
  }

  /** Passes over bytes and gives the place of the first. `what` says in an error what they are. */
  skip(length: number, what: string): number {
    const at = this.#at
    const left = this.fileSize - at
    if (length > left) {
      const claimed = `${what} claims ${length} bytes, and ${left} are left`
      this.fail("Truncated", `the file ends too early: ${claimed} from byte ${at} on: fetch the file again`)
    }
    if (at + length > this.bytes.length) throw new NeedsMore()
    this.#at = at + length
    return at
  }

  /** A number of things of at least `bytesEach` bytes, which the file must have room for. */
  count(bytesEach: number, what: string): number {
    const count = this.uint64(what)
    const left = this.fileSize - this.#at
    if (count * BigInt(bytesEach) > BigInt(left)) {
      this.fail("Truncated", `${what} is ${count}, more than ${left} bytes can hold: fetch the file again`)
    }
    return Number(count)
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.skip(4, what), true)
  }

  uint64(what: string): bigint {
    return this.#view.getBigUint64(this.skip(8, what), true)
  }

  /** A view of the number at the next `length` bytes: where it lies, and the bytes. */
  number(length: number, what: string): readonly [DataView, number] {
    const at = this.skip(length, what)
    return [this.#view, at]
  }

  /** Passes over a text: where its bytes begin, and where they end. */
  textRange(what: string): readonly [number, number] {
    const length = this.count(1, what)
    const start = this.skip(length, what)
    return [start, start + length]
  }

  /** A text, which must be UTF-8. */
  text(what: string): string {
    const [start, end] = this.textRange(what)
    return this.textAt(start, end, what)
  }

  /** The text of a range that was passed over. */
  textAt(start: number, end: number, what: string): string {
    try {
      return utf8.decode(this.bytes.subarray(start, end))
    } catch {
      return this.fail("Header", `${what} at byte ${start} is no UTF-8 text`)
    }
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
