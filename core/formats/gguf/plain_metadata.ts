import type { GgufMetadata, GgufValue } from "./gguf_types.ts"

/**
 * Metadata as plain values: numbers, texts, lists. A float32 becomes the shortest decimal that it is the nearest one to
 * (1e-5, not 9.999999747378752e-6); whole numbers beyond 2^53 become texts.
 */
export function plainMetadata(metadata: GgufMetadata): Readonly<Record<string, unknown>> {
  const record: Record<string, unknown> = {}
  for (const [key, value] of metadata) {
    // Lists of texts are long, and are decoded when they are asked for.
    Object.defineProperty(record, key, { enumerable: true, get: () => plain(value) })
  }
  return record
}

function plain({ type, value }: GgufValue): unknown {
  if (type === "array") {
    return Array.from(value.items as ArrayLike<never>, (item) => plain({ type: value.of, value: item }))
  }
  if (type === "float32") return shortest(value)
  if (type === "uint64" || type === "int64") return whole(value)
  return value
}

function whole(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : `${value}`
}

function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits))
    if (Math.fround(decimal) === value) return decimal
  }
  return value
}
