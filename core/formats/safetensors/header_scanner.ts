import { SafetensorsError } from "./safetensors_error.ts"

/** No tensor has more dimensions; a longer list is an attempt to use up memory. */
const MAX_RANK = 64

/** No file has more tensors or more texts: each takes several times its text's bytes once it is read. */
const MAX_KEYS = 100_000

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Reads the JSON of a safetensors header from its bytes, and nothing that the format does not know. A general parser
 * would build whatever the bytes say before anyone can object, and hide keys that stand there twice.
 */
export class HeaderScanner {
  readonly #bytes: Uint8Array
  readonly #file: string
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  #at = 0

  /** Starts at the first byte of the JSON text. */
  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.#file = file
  }

  /** Throws a header error at the present place. */
  fail(what: string): never {
    throw new SafetensorsError({
      reason: "Header",
      file: this.#file,
      message: `"${this.#file}": the header is not valid at byte ${8 + this.#at}: ${what}`,
    })
  }

  /** Takes white space and then this character, which must be there. */
  expect(character: string): void {
    if (!this.accept(character)) this.fail(`"${character}" expected`)
  }

  /** Takes white space, and this character if it follows. */
  accept(character: string): boolean {
    this.#space()
    if (this.#bytes[this.#at] !== character.charCodeAt(0)) return false
    this.#at++
    return true
  }

  end(): void {
    this.#space()
    if (this.#at !== this.#bytes.length) this.fail("something follows the closing brace")
  }

  /** Reads an object; `field` reads the value of each key. A key may stand there only once. */
  object(field: (key: string) => void): void {
    const seen = new Set<string>()
    this.expect("{")
    if (this.accept("}")) return
    do {
      const key = this.string()
      if (seen.has(key)) this.fail(`the key ${JSON.stringify(key)} stands there twice`)
      if (seen.size === MAX_KEYS) this.fail(`an object has more than ${MAX_KEYS} keys`)
      seen.add(key)
      this.expect(":")
      field(key)
    } while (this.accept(","))
    this.expect("}")
  }

  string(): string {
    this.expect('"')
    const start = this.#at
    const bytes = this.#bytes
    let escaped = false
    while (this.#at < bytes.length && bytes[this.#at] !== QUOTE) {
      if (bytes[this.#at] < 0x20) this.fail("control character in a string")
      if (bytes[this.#at] === BACKSLASH) {
        escaped = true
        this.#at++
      }
      this.#at++
    }
    if (this.#at >= bytes.length) this.fail("a string does not end")
    let text: string
    try {
      text = this.#decoder.decode(bytes.subarray(start, this.#at))
      if (escaped) text = JSON.parse(`"${text}"`)
    } catch {
      this.fail("a string is not valid UTF-8 or holds a wrong escape")
    }
    if (!text.isWellFormed()) this.fail("a string holds half of a surrogate pair")
    this.#at++
    return text
  }

  /** Reads a list of non-negative integers, each exact in a double. */
  integers(): ReadonlyArray<number> {
    const items: Array<number> = []
    this.expect("[")
    if (this.accept("]")) return items
    do {
      if (items.length === MAX_RANK) this.fail(`a list has more than ${MAX_RANK} numbers`)
      items.push(this.#integer())
    } while (this.accept(","))
    this.expect("]")
    return items
  }

  #integer(): number {
    this.#space()
    const start = this.#at
    let value = 0
    for (let digit = this.#digit(); digit >= 0; digit = this.#digit()) {
      value = value * 10 + digit
      if (!Number.isSafeInteger(value)) this.fail("a number is too large")
      this.#at++
    }
    const length = this.#at - start
    if (length === 0) this.fail("a non-negative integer expected")
    if (length > 1 && this.#bytes[start] === 0x30) this.fail("a number starts with 0")
    return value
  }

  #digit(): number {
    const digit = this.#bytes[this.#at] - 0x30
    return digit <= 9 ? digit : -1
  }

  #space(): void {
    const bytes = this.#bytes
    for (let byte = bytes[this.#at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;) {
      byte = bytes[++this.#at]
    }
  }
}
