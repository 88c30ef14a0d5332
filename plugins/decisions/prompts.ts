import { specialTexts } from "../../core/data/special_texts.ts"
import type { Tokenizer } from "../../core/data/tokenizer/tokenizer.ts"
import { type ChatTemplate, chatTemplate } from "../chat/mod.ts"
import type { DecisionConfig } from "./decision_config.ts"
import { DecisionError } from "./decision_error.ts"
import { type DecisionRequest, type Posed, posed } from "./question.ts"

/** The general prompt of transformers 5.24 (Apache-2.0), for models without a template of their own. */
const GENERAL = `
{%- macro text(x) %}{{ "" if x is none else x if x is string else x|tojson }}{% endmacro -%}
{%- set ns = namespace(lines=[text(question.instructions)]) -%}
{%- for option in question.options -%}
    {%- set label, answer = question.labels[loop.index0], text(question.descriptions[loop.index0]) -%}
    {%- if question.type == "noul" -%}
        {%- set answer = answer or (option if question.labels != ["Yes", "No"] else "") -%}
        {%- set ns.lines = ns.lines + ([label ~ ": " ~ answer] if answer else []) -%}
    {%- else -%}
        {%- set answer = (option ~ ": " ~ answer if answer else option) if question.type == "choice" else answer -%}
        {%- set ns.lines = ns.lines + [label ~ ". " ~ answer] -%}
    {%- endif -%}
{%- endfor -%}
{{- text(state) ~ "\\n\\n" ~ ns.lines|select|join("\\n") ~ "\\n" -}}
{%- if question.type == "noul" -%}
    {{- "Answer " ~ question.labels[0] ~ " or " ~ question.labels[1] ~ " only." -}}
{%- else -%}
    {%- set kind = "letter" if question.labels == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: question.labels|length]|list else "label" -%}
    {{- "Answer with the " ~ kind ~ " of the " ~ ("option" if question.type == "choice" else "level") -}}
    {{- " that fits best (" ~ question.labels[0] ~ " to " ~ question.labels[-1] ~ ") only." -}}
{%- endif -%}
`

/** Where a template wants the model read, and where it cuts a text so that no token spans the place. */
const MARK = "<|mark|>", SPLIT = "<|split|>"

/** A question with the token ids up to where its answer is read. */
export interface DecisionPrompt {
  readonly question: Posed
  readonly ids: Int32Array
  /** Token ids of the labels of its options. */
  readonly labels: ReadonlyArray<number>
}

/** Makes prompts of requests. */
export interface Prompter {
  /** The prompts of a request's questions. Throws {@link DecisionError}, or the error of a template. */
  readonly promptsOf: (request: DecisionRequest) => ReadonlyArray<DecisionPrompt>
  /** The prompt of a question. */
  readonly promptOf: (state: unknown, question: Posed) => DecisionPrompt
}

/**
 * A prompter of a model.
 *
 * @param chat The model's chat template: the general prompt stands in it.
 */
export function prompter(tokenizer: Tokenizer, config: DecisionConfig, chat: ChatTemplate | undefined): Prompter {
  const { template, sanitizeControlTokens } = config
  if (template === undefined && chat === undefined) {
    throw new DecisionError({
      reason: "Config",
      message: "the model has neither a chat template nor a decision template",
    })
  }
  const general = chatTemplate(GENERAL)
  const own = template === undefined ? undefined : chatTemplate(template, { from: "decision_template.jinja" })
  const together = /\bquestions\b/.test(template ?? "")
  const specials = sanitizeControlTokens ? [MARK, SPLIT, ...specialTexts(tokenizer)] : []
  const textOf = (state: unknown, group: ReadonlyArray<Posed>): string => {
    const variables = { enable_thinking: false }
    if (own === undefined) {
      const { text } = general.render({ messages: [], variables: { state, question: group[0] } })
      return chat!.render({ messages: [{ role: "user", content: text }], variables }, true).text
    }
    const given = { ...variables, state, question: group[0], questions: group }
    return own.render({ messages: [{ role: "user", content: "" }], variables: given }, true).text
  }
  const prompts = (state: unknown, group: ReadonlyArray<Posed>): ReadonlyArray<DecisionPrompt> => {
    checkTexts([state, group], specials)
    const [ids, marks] = encoded(tokenizer, textOf(state, group))
    if (marks.length < group.length) {
      throw new DecisionError({
        reason: "Config",
        message: `the template marks ${marks.length} of ${group.length} questions`,
      })
    }
    return group.map((question, i) => ({
      question,
      ids: Int32Array.from(ids.slice(0, marks[i])),
      labels: labelIds(tokenizer, question.labels),
    }))
  }
  return {
    promptsOf: ({ state, questions }) => {
      const all = Object.entries(questions ?? {}).map(([name, question]) => posed(name, question, config))
      if (all.length === 0) {
        throw new DecisionError({ reason: "Question", message: "a request needs at least one question" })
      }
      return together ? prompts(state, all) : all.flatMap((question) => prompts(state, [question]))
    },
    promptOf: (state, question) => prompts(state, [question])[0],
  }
}

/** Texts of a request must hold no special tokens: they would be more than text. */
function checkTexts(value: unknown, specials: ReadonlyArray<string>): void {
  if (typeof value === "string") {
    const found = specials.find((special) => value.includes(special))
    if (found === undefined) return
    throw new DecisionError({
      reason: "Question",
      message: `the request holds the special token ${found}: take it out`,
    })
  }
  if (typeof value !== "object" || value === null) return
  for (const [name, own] of Object.entries(value)) [name, own].forEach((part) => checkTexts(part, specials))
}

/** Token ids of a prompt, and how many stand before each mark: without marks, all. */
function encoded(
  tokenizer: Tokenizer,
  text: string,
): readonly [ids: ReadonlyArray<number>, marks: ReadonlyArray<number>] {
  const plain = (text: string) => [...tokenizer.encode(text, { addSpecialTokens: false })]
  const ids: Array<number> = []
  const marks: Array<number> = []
  const newline = plain("\n")
  text.split(/(<\|mark\|>|<\|split\|>)/).forEach((piece, i) => {
    if (piece === MARK) marks.push(ids.length)
    if (piece === "" || piece === MARK || piece === SPLIT) return
    // After a newline: some tokenizers put a space before what begins a text.
    const later = i === 0 ? [] : plain(`\n${piece}`)
    const begins = i > 0 && newline.every((id, at) => later[at] === id)
    for (const id of begins ? later.slice(newline.length) : plain(piece)) ids.push(id)
  })
  return [ids, marks.length > 0 ? marks : [ids.length]]
}

/** Token ids of labels. Throws {@link DecisionError} where they are not different single tokens. */
function labelIds(tokenizer: Tokenizer, labels: ReadonlyArray<string>): ReadonlyArray<number> {
  const ids = labels.map((label) => tokenizer.encode(label, { addSpecialTokens: false }))
  if (ids.every(({ length }) => length === 1) && new Set(ids.map(([id]) => id)).size === labels.length) {
    return ids.map(([id]) => id)
  }
  const message = `the labels ${
    JSON.stringify(labels)
  } are not different single tokens of the model: give others in decision.json`
  throw new DecisionError({ reason: "Labels", message })
}
