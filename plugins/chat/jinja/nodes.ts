/**
 * What the parser of `@huggingface/jinja` gives: its package exports no types of nodes.
 * @module
 */

/** A part of a template: a statement or an expression. */
export interface Node {
  /** Name of its kind. */
  readonly type: string
}

/** A name. */
export interface Identifier extends Node {
  readonly value: string
}

/** A literal, or several expressions: a list, a tuple. */
export interface Literal<T> extends Node {
  readonly value: T
}

/** An operation with two sides. */
export interface Binary extends Node {
  readonly operator: { readonly value: string }
  readonly left: Node
  readonly right: Node
}

/** An operation with one side. */
export interface Unary extends Node {
  readonly operator: { readonly value: string }
  readonly argument: Node
}

/** `object.property`, `object[property]` or, with a slice as property, `object[a:b]`. */
export interface Member extends Node {
  readonly object: Node
  readonly property: Node
  readonly computed: boolean
}

/** Bounds of a slice. */
export interface Slice extends Node {
  readonly start: Node | undefined
  readonly stop: Node | undefined
  readonly step: Node | undefined
}

/** `callee(args)`. */
export interface Call extends Node {
  readonly callee: Node
  readonly args: ReadonlyArray<Node>
}

/** `name=value` in a call or a macro. */
export interface Keyword extends Node {
  readonly key: Identifier
  readonly value: Node
}

/** `*argument` or `**argument`. */
export interface Spread extends Node {
  readonly argument: Node
}

/** `operand | filter`. */
export interface Filtered extends Node {
  readonly operand: Node
  readonly filter: Identifier | Call
}

/** `operand is test`. */
export interface Tested extends Node {
  readonly operand: Node
  readonly negate: boolean
  readonly test: Identifier
}

/** `lhs if test`. */
export interface Selected extends Node {
  readonly lhs: Node
  readonly test: Node
}

/** `trueExpr if condition else falseExpr`. */
export interface Ternary extends Node {
  readonly condition: Node
  readonly trueExpr: Node
  readonly falseExpr: Node
}

/** `{% if %}`; an `elif` is an alternate that is one again. */
export interface If extends Node {
  readonly test: Node
  readonly body: ReadonlyArray<Node>
  readonly alternate: ReadonlyArray<Node>
}

/** `{% for %}`. */
export interface For extends Node {
  readonly loopvar: Node
  readonly iterable: Node
  readonly body: ReadonlyArray<Node>
  readonly defaultBlock: ReadonlyArray<Node>
}

/** `{% set %}`, of an expression or of a block. */
export interface Assignment extends Node {
  readonly assignee: Node
  readonly value: Node | null
  readonly body: ReadonlyArray<Node>
}

/** `{% macro %}`. */
export interface Macro extends Node {
  readonly name: Identifier
  readonly args: ReadonlyArray<Identifier | Keyword>
  readonly body: ReadonlyArray<Node>
}

/** `{% call %}`. */
export interface CallBlock extends Node {
  readonly call: Call
  readonly callerArgs: ReadonlyArray<Identifier | Keyword> | null
  readonly body: ReadonlyArray<Node>
}

/** `{% filter %}`. */
export interface FilterBlock extends Node {
  readonly filter: Identifier | Call
  readonly body: ReadonlyArray<Node>
}
