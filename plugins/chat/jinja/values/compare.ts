import { Float, isList, itemsOf, numberOf, TemplateError, Tuple, typeName, Undefined, type Value } from "./values.ts"

/** Whether two values are equal, as `==` has it in Python. */
export const equal = (a: Value, b: Value): boolean => {
  if (a === b) return true
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x !== undefined || y !== undefined) return x === y
  if (a instanceof Undefined) return b instanceof Undefined
  if (a instanceof Tuple) return b instanceof Tuple && equalItems(a.items, b.items)
  if (isList(a)) return isList(b) && equalItems(a, b)
  if (!(a instanceof Map && b instanceof Map)) return false
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && equal(value, b.get(key)!))
}

const equalItems = (a: ReadonlyArray<Value>, b: ReadonlyArray<Value>): boolean =>
  a.length === b.length && a.every((item, at) => equal(item, b[at]))

/** Below 0, 0 or above 0, as Python orders the values. */
export const compare = (a: Value, b: Value, operator = "<"): number => {
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x !== undefined && y !== undefined) return x - y
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b)
  if ((isList(a) && isList(b)) || (a instanceof Tuple && b instanceof Tuple)) {
    const [left, right] = [itemsOf(a), itemsOf(b)]
    const at = left.findIndex((item, at) => at >= right.length || !equal(item, right[at]))
    if (at < 0) return left.length - right.length
    return at >= right.length ? 1 : compare(left[at], right[at], operator)
  }
  const undefined_ = [a, b].find((value) => value instanceof Undefined)
  if (undefined_ instanceof Undefined) throw new TemplateError(undefined_.why)
  throw new TemplateError(
    `'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  )
}

/** By code points: halves of surrogate pairs would come before U+E000. */
const compareTexts = (a: string, b: string): number => {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  if (at > 0 && /[\udc00-\udfff]/.test(a[at] ?? b[at] ?? "")) at--
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1)
}

/** Whether a value is in another: a part of a text, an item of a list, a key. */
export const contains = (whole: Value, part: Value): boolean => {
  if (typeof whole === "string") {
    if (typeof part === "string") return whole.includes(part)
    throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(part)}`)
  }
  if (whole === null || numberOf(whole) !== undefined || typeof whole === "function") {
    throw new TemplateError(`argument of type '${typeName(whole)}' is not iterable`)
  }
  return itemsOf(whole).some((item) => equal(item, part))
}

/** A float where one of the operands is one. */
export const numeric = (value: number, ...operands: ReadonlyArray<Value>): Value =>
  operands.some((operand) => operand instanceof Float) ? new Float(value) : value
