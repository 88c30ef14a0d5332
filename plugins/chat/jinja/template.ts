import { GLOBALS } from "./globals.ts"
import { Output } from "./output.ts"
import { parseTemplate } from "./parse.ts"
import { Scope } from "./scope.ts"
import { run } from "./statements.ts"
import { type Value, valueOf } from "./values/values.ts"

/**
 * A template as a function of its variables. Python's semantics over the parser of `@huggingface/jinja`, whose own
 * interpreter differs from jinja2 without a word: `strip` with an argument, `break`, printed values, equal lists, names
 * that are set in a loop.
 *
 * @throws TemplateError, here for what is not known, there where Python raises too.
 */
export const compile = (source: string): (variables: Readonly<Record<string, unknown>>) => Output => {
  const body = parseTemplate(source)
  return (variables) => {
    const given = Object.entries(variables).map(([name, value]): [string, Value] => [name, valueOf(value)])
    const output = new Output()
    run(body, new Scope(new Scope(undefined, GLOBALS), given), output)
    return output
  }
}
