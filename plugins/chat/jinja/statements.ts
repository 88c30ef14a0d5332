/**
 * Statements of a template: they write into an output.
 * @module
 */
import { equal } from "./values/compare.ts"
import { argumentsOf, callValue, evaluate, filtered } from "./expressions.ts"
import type * as nodes from "./nodes.ts"
import { Output } from "./output.ts"
import { GENERATION, visit } from "./parse.ts"
import { Scope } from "./scope.ts"
import { textOf } from "./values/text.ts"

import {
  type Arguments,
  type Callable,
  isTrue,
  itemsOf,
  Namespace,
  TemplateError,
  Tuple,
  Undefined,
  type Value,
} from "./values/values.ts"

/** What ends the pass of a loop before its end. */
type Flow = "break" | "continue" | undefined

/** Runs statements; values of expressions are written. */
export const run = (body: ReadonlyArray<nodes.Node>, scope: Scope, output: Output): Flow => {
  for (const node of body) {
    if (Object.hasOwn(STATEMENTS, node.type)) {
      const flow = STATEMENTS[node.type](node, scope, output)
      if (flow !== undefined) return flow
    } else output.text += textOf(evaluate(node, scope))
  }
  return undefined
}

/** What statements write, as a value. */
const written = (body: ReadonlyArray<nodes.Node>, scope: Scope): string => {
  const output = new Output()
  run(body, scope, output)
  if (output.marks.length === 0) return output.text
  throw new TemplateError(
    "a {% generation %} block stands within a macro or a block that is set, which is not known here",
  )
}

/** Sets names to a value, or to the items of one. */
const assign = (target: nodes.Node, value: Value, scope: Scope): void => {
  if (target.type === "Identifier") return void scope.names.set((target as nodes.Identifier).value, value)
  if (target.type === "TupleLiteral") {
    const { value: names } = target as nodes.Literal<ReadonlyArray<nodes.Node>>
    const items = itemsOf(value)
    if (items.length !== names.length) {
      throw new TemplateError(`${items.length} values to unpack, expected ${names.length}`)
    }
    return names.forEach((name, at) => assign(name, items[at], scope))
  }
  const { object, property } = target as nodes.Member
  const owner = evaluate(object, scope)
  if (!(owner instanceof Namespace)) throw new TemplateError("cannot assign attribute on non-namespace object")
  owner.fields.set((property as nodes.Identifier).value, value)
}

/** What `loop` is in a pass. */
const loopOf = (items: ReadonlyArray<Value>, at: number): Namespace => {
  const { length } = items
  const item = (at: number, which: string) =>
    at >= 0 && at < length ? items[at] : new Undefined(`there is no ${which} item`)
  return new Namespace(
    new Map<string, Value>([
      ["index", at + 1],
      ["index0", at],
      ["revindex", length - at],
      ["revindex0", length - at - 1],
      ["first", at === 0],
      ["last", at === length - 1],
      ["length", length],
      ["depth", 1],
      ["depth0", 0],
      ["previtem", item(at - 1, "previous")],
      ["nextitem", item(at + 1, "next")],
      ["cycle", ({ positional }: Arguments) => positional[at % positional.length]],
    ]),
  )
}

const loop = ({ loopvar, iterable, body, defaultBlock }: nodes.For, scope: Scope, output: Output): Flow => {
  const isChosen = iterable.type === "SelectExpression"
  const { lhs: source, test } = isChosen ? iterable as nodes.Selected : { lhs: iterable, test: undefined }
  const pass = (item: Value) => {
    const own = new Scope(scope)
    assign(loopvar, item, own)
    return own
  }
  const items = itemsOf(evaluate(source, scope))
    .filter((item) => test === undefined || isTrue(evaluate(test, pass(item))))
  let last: Value | undefined
  for (const [at, item] of items.entries()) {
    const own = pass(item)
    const fields = loopOf(items, at)
    fields.fields.set("changed", ({ positional }) => {
      const seen = new Tuple(positional), is = last === undefined || !equal(last, seen)
      last = seen
      return is
    })
    own.names.set("loop", fields)
    if (run(body, own, output) === "break") break
  }
  if (items.length === 0) run(defaultBlock, new Scope(scope), output)
  return undefined
}

/** Whether a body reads a name. */
const reads = (body: ReadonlyArray<nodes.Node>, name: string): boolean => {
  let found = false
  visit(body, (node) => found ||= node.type === "Identifier" && (node as nodes.Identifier).value === name)
  return found
}

/** A macro, or the body of a call: it sees the names around its definition, not those of its caller. */
const macroOf = (
  name: string,
  parameters: ReadonlyArray<nodes.Identifier | nodes.Keyword>,
  body: ReadonlyArray<nodes.Node>,
  around: Scope,
): Callable => {
  const takes = { varargs: reads(body, "varargs"), kwargs: reads(body, "kwargs") }
  return ({ positional, named }) => {
    const own = new Scope(around), rest = new Map(named)
    parameters.forEach((parameter, at) => {
      const { key, value } = parameter.type === "Identifier"
        ? { key: parameter as nodes.Identifier, value: undefined }
        : parameter as nodes.Keyword
      const usual = () =>
        value === undefined ? new Undefined(`parameter '${key.value}' was not provided`) : evaluate(value, own)
      const given = at < positional.length ? positional[at] : rest.get(key.value)
      own.names.set(key.value, given === undefined ? usual() : given)
      rest.delete(key.value)
    })
    const caller = rest.get("caller")
    if (caller !== undefined) own.names.set("caller", caller)
    rest.delete("caller")
    if (takes.varargs) own.names.set("varargs", new Tuple(positional.slice(parameters.length)))
    else if (positional.length > parameters.length) {
      throw new TemplateError(`macro '${name}' takes not more than ${parameters.length} argument(s)`)
    }
    if (takes.kwargs) own.names.set("kwargs", rest as ReadonlyMap<Value, Value>)
    else if (rest.size > 0) {
      throw new TemplateError(`macro '${name}' takes no keyword argument '${[...rest.keys()][0]}'`)
    }
    return written(body, own)
  }
}

const callBlock = ({ call, callerArgs, body }: nodes.CallBlock, scope: Scope, output: Output): Flow => {
  if ((call.callee as nodes.Identifier).value === GENERATION) {
    const from = output.text.length
    const flow = run(body, new Scope(scope), output)
    output.marks.push([from, output.text.length])
    return flow
  }
  const { positional, named } = argumentsOf(call.args, scope)
  const caller = macroOf("caller", callerArgs ?? [], body, scope)
  const value = callValue(evaluate(call.callee, scope), { positional, named: new Map([...named, ["caller", caller]]) })
  output.text += textOf(value)
  return undefined
}

/** Typed as a method, so that the table may hold functions of each kind of node. */
type Statement = { run(node: nodes.Node, scope: Scope, output: Output): Flow }["run"]

const STATEMENTS: Readonly<Record<string, Statement>> = {
  Comment: () => undefined,
  Break: () => "break",
  Continue: () => "continue",
  If: ({ test, body, alternate }: nodes.If, scope: Scope, output: Output) =>
    run(isTrue(evaluate(test, scope)) ? body : alternate, scope, output),
  For: loop,
  Set: ({ assignee, value, body }: nodes.Assignment, scope: Scope) => {
    const made = value === null ? written(body, new Scope(scope)) : evaluate(value, scope)
    assign(assignee, made, scope)
    return undefined
  },
  Macro: ({ name: { value: name }, args, body }: nodes.Macro, scope: Scope) => {
    scope.names.set(name, macroOf(name, args, body, scope))
    return undefined
  },
  CallStatement: callBlock,
  FilterStatement: ({ filter, body }: nodes.FilterBlock, scope: Scope, output: Output) => {
    output.text += textOf(filtered(written(body, new Scope(scope)), filter, scope))
    return undefined
  },
}
