import { mustBe } from "../../options/check.ts"
import type { Field } from "../../options/field.ts"
import * as field from "../../options/fields.ts"
import type { Tokenizer } from "./tokenizer.ts"

const isTokenizer = (value: unknown): boolean => {
  const { encode, decode, vocabSize } = (value ?? {}) as Partial<Tokenizer>
  return typeof encode === "function" && typeof decode === "function" && typeof vocabSize === "number"
}

/** The option `tokenizer`: no file can hold one. */
export const TOKENIZER: Field<Tokenizer> = field.opaque<Tokenizer>()({
  faults: (value, at) =>
    isTokenizer(value) ? [] : [mustBe(at, "a tokenizer, such as Tokenizer.loadTokenizer gives", value)],
})
