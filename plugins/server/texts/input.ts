import { field, mustBe } from "../../../core/options/mod.ts"

/** Most texts of a request, as OpenAI has it. */
const MOST = 2048

/** The field `input`: a text, or several. */
export const INPUT = field.opaque<string | ReadonlyArray<string>>()({
  required: true,
  faults: (value, at) => {
    const texts = [value].flat()
    const isText = (one: unknown) => typeof one === "string" && one !== ""
    return texts.length > 0 && texts.length <= MOST && texts.every(isText)
      ? []
      : [mustBe(at, `a text, or a list of up to ${MOST} texts, none of them empty`, value)]
  },
})

/** The texts of the field. */
export const textsOf = (input: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  typeof input === "string" ? [input] : input
