/** Texts by which attributes are compared. */
export interface AttributeTexts {
  /** A number for an object's identity. */
  readonly numberOf: (thing: object) => number
  /** The same text for equal attributes only. */
  readonly textOf: (value: unknown) => string
}

/** Texts that can be compared with each other: functions and arrays of numbers are told apart by identity. */
export function attributeTexts(): AttributeTexts {
  const numbers = new Map<object, number>()
  const numberOf = (thing: object) => {
    let number = numbers.get(thing)
    if (number === undefined) numbers.set(thing, number = numbers.size)
    return number
  }
  const textOf = (value: unknown): string => {
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`
    if (Array.isArray(value)) return `[${value.map(textOf)}]`
    if (typeof value === "function" || ArrayBuffer.isView(value)) return `#${numberOf(value)}`
    if (typeof value !== "object" || value === null) return JSON.stringify(value)
    let text = ""
    for (const name in value) {
      const own = (value as Record<string, unknown>)[name]
      if (own !== undefined) text += `${name}:${textOf(own)};`
    }
    return `{${text}}`
  }
  return { numberOf, textOf }
}
