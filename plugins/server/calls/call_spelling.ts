import type { TextForm } from "../../../core/inference/text/mod.ts"

/** A call of a function, as a model writes it. */
export interface Call {
  /** Name of the function. */
  readonly name: string
  /** Its arguments, an object, as JSON. */
  readonly arguments: string
}

/** What stands at the beginning of a text: calls, or where there are none a text that is none. */
export interface ReadCalls {
  /** The calls; none for text that is no call. */
  readonly calls: ReadonlyArray<Call>
  /** Characters that they take, or that are no call. */
  readonly length: number
}

/** A function that may be called. */
export interface CalledFunction {
  /** Its name. */
  readonly name: string
  /** JSON Schema of its arguments, an object. */
  readonly parameters: unknown
  /** Where the schema stands in the request, for messages. */
  readonly at: string
}

/** An answer that must be calls. */
export interface HeldCalls {
  /** What the answer begins with, before the model writes. It may spell special tokens. */
  readonly begin: string
  /** What the model writes then. It spells none. */
  readonly form: TextForm
}

/** How the models of a family write calls of functions. */
export interface CallSpelling {
  /** Its name, for options and messages. */
  readonly name: string
  /** Whether a chat template, given as its source, writes calls so. */
  readonly isIn: (template: string) => boolean
  /** Text that a call begins with. Where it is a special token, it is read as text. */
  readonly open: string
  /** Text that ends it, likewise. Default: none; a call ends by itself. */
  readonly close?: string
  /**
   * Whether a call may also stand without `open`: at the beginning of an answer, and after another call. It is one then only
   * if it names one of the tools. Default: no.
   */
  readonly bare?: boolean
  /**
   * Reads the calls at the beginning of a text, which is `open` or a place of a bare one. Undefined where more of the text must
   * come first; of a whole text never. What it says of a text holds for all that begin with it.
   */
  readonly read: (text: string, isWhole: boolean) => ReadCalls | undefined
  /** How an answer is held to a call of one of some functions, or to `several` in a row where the family writes them. */
  readonly hold: (functions: ReadonlyArray<CalledFunction>, several: boolean) => HeldCalls
}

/** What {@link CallSpelling.read} gives for so many characters that are no call. */
export const noCall = (length: number): ReadCalls => ({ calls: [], length })
