import { parse, tokenize } from "@huggingface/jinja"
import { FURTHER_FILTERS } from "./filters.ts"
import type { Call, Filtered, Identifier, Node, Tested } from "./nodes.ts"
import { FURTHER_TESTS } from "./tests.ts"
import { TemplateError } from "./values/values.ts"

/** The name that a block of `{% generation %}` calls. */
export const GENERATION = "generation block"

/** How the block is spelled for the parser, which would drop its tags. */
const SPELLED = "generation_block__"

/**
 * The statements of a template, as transformers sets jinja2 up: the line end after a tag and the blanks before one are
 * left out.
 *
 * @throws TemplateError for what cannot be parsed, and for what this package renders otherwise than Python, by name.
 */
export const parseTemplate = (source: string): ReadonlyArray<Node> => {
  const text = source.replace(/\r\n?/g, "\n")
    // The parser does not know the sign that keeps white space: an empty expression beside the tag keeps it too.
    .replace(/\{%\+/g, '{{ "" }}{%').replace(/\+%\}/g, '%}{{ "" }}')
    .replace(/\{%(-?)\s*generation\s*(-?)%\}/g, `{%$1 call ${SPELLED}() $2%}`)
    .replace(/\{%(-?)\s*endgeneration\s*(-?)%\}/g, "{%$1 endcall $2%}")
  const nodes = parsed(text)
  visit(nodes, (node) => {
    if (node.type === "Identifier" && (node as Identifier).value === SPELLED) {
      Object.assign(node, { value: GENERATION })
    }
    if (node.type === "FilterExpression" || node.type === "FilterStatement") {
      check(filterName(node), FURTHER_FILTERS, "filter")
    }
    if (node.type === "TestExpression") check((node as Tested).test.value, FURTHER_TESTS, "test")
  })
  return nodes
}

const parsed = (text: string): ReadonlyArray<Node> => {
  try {
    const tokens = tokenize(text, { lstrip_blocks: true, trim_blocks: true })
    checkComparisons(tokens)
    return (parse(tokens) as unknown as { readonly body: ReadonlyArray<Node> }).body
  } catch (cause) {
    if (cause instanceof TemplateError) throw cause
    throw new TemplateError(`it cannot be parsed: ${(cause as Error).message}`)
  }
}

const filterName = (node: Node): string => {
  const { filter } = node as Filtered
  return filter.type === "Identifier" ? (filter as Identifier).value : ((filter as Call).callee as Identifier).value
}

/** What jinja2 knows and this package does not; what neither knows fails where it is reached, there and here. */
const check = (name: string, further: ReadonlyArray<string>, what: string): void => {
  if (further.includes(name)) throw new TemplateError(`it uses the ${what} "${name}", which is not known here`)
}

const OPENING = ["OpenParen", "OpenSquareBracket", "OpenCurlyBracket", "OpenStatement", "OpenExpression"]
const CLOSING = ["CloseParen", "CloseSquareBracket", "CloseCurlyBracket", "CloseStatement", "CloseExpression"]
const PARTS = ["and", "or", "not", "if", "else", "elif", "for", "set"]

/** Python compares the neighbours in `a < b < c`; the parser reads `(a < b) < c`. */
const checkComparisons = (tokens: ReturnType<typeof tokenize>): void => {
  const counts = [0]
  tokens.forEach(({ type, value }, at) => {
    const isWord = type === "Identifier"
    const next = tokens[at + 1]?.value
    if (OPENING.includes(type)) counts.push(0)
    else if (CLOSING.includes(type)) counts.pop()
    else if (["Comma", "Colon", "Equals"].includes(type)) counts[counts.length - 1] = 0
    else if (isWord && PARTS.includes(value) && !(value === "not" && next === "in")) counts[counts.length - 1] = 0
    else if (type === "ComparisonBinaryOperator" || (isWord && value === "in")) {
      if (++counts[counts.length - 1] > 1) {
        throw new TemplateError(
          `it chains comparisons (... ${value} ${next ?? ""} ...), which are not known here: use "and"`,
        )
      }
    }
  })
}

/** Calls a function with each node, from the outside in. */
export const visit = (value: unknown, see: (node: Node) => void): void => {
  if (Array.isArray(value)) { for (const item of value) visit(item, see) }
  else if (value instanceof Map) visit([...value].flat(), see)
  else if (typeof value === "object" && value !== null && "type" in value) {
    see(value as Node)
    visit(Object.values(value), see)
  }
}
