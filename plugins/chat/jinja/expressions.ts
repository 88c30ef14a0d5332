/**
 * Values of expressions.
 * @module
 */
import { attributeOf, elementOf, sliceOf } from "./values/attributes.ts"
import { compare, contains, equal, numeric } from "./values/compare.ts"
import { filterOf } from "./filters.ts"
import type * as nodes from "./nodes.ts"
import type { Scope } from "./scope.ts"
import { testOf } from "./tests.ts"
import { textOf } from "./values/text.ts"
import {
  type Arguments,
  Float,
  isList,
  isTrue,
  itemsOf,
  numberOf,
  Safe,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  unmarked,
  type Value,
} from "./values/values.ts"

/** The value of an expression. */
export const evaluate = (node: nodes.Node, scope: Scope): Value => {
  if (Object.hasOwn(EXPRESSIONS, node.type)) return EXPRESSIONS[node.type](node, scope)
  throw new TemplateError(`it holds a ${node.type} where a value is wanted`)
}

/** Arguments of a call. */
export const argumentsOf = (args: ReadonlyArray<nodes.Node>, scope: Scope): Arguments => {
  const positional: Array<Value> = [], named = new Map<string, Value>()
  for (const node of args) {
    if (node.type === "SpreadExpression") {
      positional.push(...itemsOf(evaluate((node as nodes.Spread).argument, scope)))
    } else if (node.type === "KeywordSpreadExpression") {
      const all = evaluate((node as nodes.Spread).argument, scope)
      if (!(all instanceof Map)) throw new TemplateError("argument after ** must be a mapping")
      for (const [key, value] of all) named.set(textOf(key), value)
    } else if (node.type === "KeywordArgumentExpression") {
      const { key, value } = node as nodes.Keyword
      named.set(key.value, unmarked(evaluate(value, scope)))
    } else positional.push(unmarked(evaluate(node, scope)))
  }
  return { positional, named }
}

/** Calls a value. */
export const callValue = (callee: Value, args: Arguments): Value => {
  if (typeof callee === "function") return callee(args)
  throw new TemplateError(
    callee instanceof Undefined ? callee.why : `'${typeName(callee)}' object is not callable`,
  )
}

/** Filters that leave a safe text safe. */
const KEEPING = ["string", "trim", "upper", "lower", "capitalize", "indent", "default", "d"]

/** What a filter makes of a value. */
export const filtered = (value: Value, filter: nodes.Identifier | nodes.Call, scope: Scope): Value => {
  const [name, args] = filter.type === "Identifier"
    ? [(filter as nodes.Identifier).value, []]
    : [((filter as nodes.Call).callee as nodes.Identifier).value, (filter as nodes.Call).args]
  const made = filterOf(name)(unmarked(value), argumentsOf(args, scope))
  return value instanceof Safe && typeof made === "string" && KEEPING.includes(name) ? new Safe(made) : made
}

const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
}

const nameValue = ({ value: name }: nodes.Identifier, scope: Scope): Value => {
  if (Object.hasOwn(CONSTANTS, name)) return CONSTANTS[name]
  const found = scope.find(name)
  return found === undefined ? new Undefined(`'${name}' is undefined`) : found
}

/** Typed as a method, so that the table may hold functions of each kind of node. */
type Run = { run(node: nodes.Node, scope: Scope): Value }["run"]

const list = (node: nodes.Node, scope: Scope) =>
  (node as nodes.Literal<ReadonlyArray<nodes.Node>>).value.map((item) => unmarked(evaluate(item, scope)))

const dictionary = ({ value }: nodes.Literal<ReadonlyMap<nodes.Node, nodes.Node>>, scope: Scope): Value =>
  new Map([...value].map(([key, own]): [Value, Value] => [evaluate(key, scope), unmarked(evaluate(own, scope))]))

const member = ({ object, property, computed }: nodes.Member, scope: Scope): Value => {
  const value = evaluate(object, scope)
  if (value instanceof Safe) throw new TemplateError("attributes of a text that is marked as safe are not known here")
  if (property.type === "SliceExpression") {
    const { start, stop, step } = property as nodes.Slice
    return sliceOf(value, [start, stop, step].map((bound) => bound && evaluate(bound, scope)))
  }
  if (computed) return elementOf(value, evaluate(property, scope))
  const { value: name } = property as nodes.Literal<string | number>
  return typeof name === "number" ? elementOf(value, name) : attributeOf(value, name)
}

const unary = ({ operator: { value: operator }, argument }: nodes.Unary, scope: Scope): Value => {
  const value = evaluate(argument, scope)
  if (operator === "not") return !isTrue(value)
  const number = numberOf(value)
  if (number === undefined) throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`)
  return numeric(operator === "-" ? -number : number, value)
}

/** Results of operators; where there are none, Python has no such operation either. */
const OPERATORS: Readonly<Record<string, (left: Value, right: Value) => Value | undefined>> = {
  "==": equal,
  "!=": (left, right) => !equal(left, right),
  "<": (left, right) => compare(left, right, "<") < 0,
  ">": (left, right) => compare(left, right, ">") > 0,
  "<=": (left, right) => compare(left, right, "<=") <= 0,
  ">=": (left, right) => compare(left, right, ">=") >= 0,
  "in": (left, right) => contains(right, left),
  "not in": (left, right) => !contains(right, left),
  "~": (left, right) => textOf(left) + textOf(right),
  "+": (left, right) => {
    if (typeof left === "string" && typeof right === "string") return left + right
    if (isList(left) && isList(right)) return [...left, ...right]
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items])
    return arithmetic((a, b) => a + b)(left, right)
  },
  "-": (left, right) => arithmetic((a, b) => a - b)(left, right),
  "*": (left, right) => {
    const [times, value] = typeof left === "number" ? [left, right] : [right, left]
    if (typeof times !== "number") return arithmetic((a, b) => a * b)(left, right)
    if (typeof value === "string") return value.repeat(Math.max(0, times))
    if (isList(value)) return Array.from({ length: Math.max(0, times) }, () => value).flat()
    return arithmetic((a, b) => a * b)(left, right)
  },
  "/": (left, right) => float(arithmetic(divided)(left, right)),
  "//": (left, right) => arithmetic((a, b) => Math.floor(divided(a, b)))(left, right),
  "%": (left, right) => arithmetic((a, b) => a - b * Math.floor(divided(a, b)))(left, right),
  "**": (left, right) => {
    const power = arithmetic((a, b) => a ** b)(left, right)
    return (numberOf(right) ?? 0) < 0 ? float(power) : power
  },
}

const float = (value: Value | undefined): Value | undefined =>
  value === undefined ? undefined : new Float(numberOf(value)!)

const divided = (a: number, b: number): number => {
  if (b === 0) throw new TemplateError("division by zero")
  return a / b
}

const arithmetic = (compute: (a: number, b: number) => number) => (left: Value, right: Value): Value | undefined => {
  const [a, b] = [numberOf(left), numberOf(right)]
  return a === undefined || b === undefined ? undefined : numeric(compute(a, b), left, right)
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
}

/** Texts of which one is safe: Python escapes the other. */
const added = (...parts: ReadonlyArray<Value>): Safe =>
  new Safe(
    parts.map((part) => {
      if (part instanceof Safe) return part.text
      if (typeof part !== "string") throw new TemplateError(`a safe text and '${typeName(part)}' cannot be added`)
      return part.replace(/[&<>"']/g, (character) => ENTITIES[character])
    }).join(""),
  )

const binary = ({ operator: { value: operator }, left, right }: nodes.Binary, scope: Scope): Value => {
  const first = evaluate(left, scope)
  if (operator === "and") return isTrue(first) ? evaluate(right, scope) : first
  if (operator === "or") return isTrue(first) ? first : evaluate(right, scope)
  const second = evaluate(right, scope)
  if (operator === "+" && (first instanceof Safe || second instanceof Safe)) return added(first, second)
  const result = OPERATORS[operator](unmarked(first), unmarked(second))
  if (result !== undefined) return result
  for (const value of [first, second]) if (value instanceof Undefined) throw new TemplateError(value.why)
  throw new TemplateError(
    `unsupported operand type(s) for ${operator}: '${typeName(first)}' and '${typeName(second)}'`,
  )
}

const EXPRESSIONS: Readonly<Record<string, Run>> = {
  IntegerLiteral: ({ value }: nodes.Literal<number>) => value,
  FloatLiteral: ({ value }: nodes.Literal<number>) => new Float(value),
  StringLiteral: ({ value }: nodes.Literal<string>) => value,
  ArrayLiteral: list,
  TupleLiteral: (node: nodes.Node, scope: Scope) => new Tuple(list(node, scope)),
  ObjectLiteral: dictionary,
  Identifier: nameValue,
  MemberExpression: member,
  CallExpression: ({ callee, args }: nodes.Call, scope: Scope) =>
    callValue(evaluate(callee, scope), argumentsOf(args, scope)),
  UnaryExpression: unary,
  BinaryExpression: binary,
  FilterExpression: ({ operand, filter }: nodes.Filtered, scope: Scope) =>
    filtered(evaluate(operand, scope), filter, scope),
  TestExpression: ({ operand, negate, test }: nodes.Tested, scope: Scope) =>
    testOf(test.value)(unmarked(evaluate(operand, scope))) !== negate,
  SelectExpression: ({ lhs, test }: nodes.Selected, scope: Scope) =>
    isTrue(evaluate(test, scope))
      ? evaluate(lhs, scope)
      : new Undefined("the inline if-expression evaluated to false and no else section was defined."),
  Ternary: ({ condition, trueExpr, falseExpr }: nodes.Ternary, scope: Scope) =>
    evaluate(isTrue(evaluate(condition, scope)) ? trueExpr : falseExpr, scope),
}
