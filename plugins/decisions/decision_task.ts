import { DataError } from "../../core/data/data_error.ts"
import { MASKED } from "../../core/data/encode.ts"
import { lastOf } from "../../core/model/sites/batch_layout.ts"
import { classificationMetrics } from "../../core/tasks/measures/classification_metrics.ts"
import { perExample } from "../../core/tasks/shared/objectives.ts"
import type { TaskOf } from "../../core/tasks/task.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Decider } from "./decide.ts"
import { type DecisionRow, decisionRows, optionsOf, unanswered } from "./columns.ts"
import { softmax } from "./decide.ts"
import { prompter } from "./prompts.ts"
import { posed, type Question } from "./question.ts"

/**
 * Learns to answer one question: the cross entropy of the right option's label among the labels of all options, at the place
 * where `decide` reads it. With `Model.load(directory, { task })` and rows of {@link columns}.
 *
 * Throws {@link DecisionError} for a question that the tokenizer's labels cannot be asked with.
 */
export function decision(
  { tokenizer, config, chat }: Omit<Decider, "model">,
  question: Question,
): TaskOf<DecisionRow> {
  const asked = posed("the question", question, config)
  const options = optionsOf(question)
  const { promptOf } = prompter(tokenizer, config, chat)
  /** The options in the order of the template, which may put false first. */
  const places = asked.options.map((option) => options.indexOf(option))
  const { labels } = promptOf("", asked)
  const order = ({ order }: DecisionRow) => question.type === "choice" ? order : places
  const scores = ({ batch, outputs: { logits } }: Parameters<TaskOf["measure"]>[0]) => {
    const last = ops.reshape(lastOf(logits, batch), [-1, logits.shape[2]])
    const ids = ops.constant(Int32Array.from(labels), [labels.length])
    return ops.transpose(ops.gather(ops.transpose(last), ids))
  }
  const none = new Int32Array(0)
  return {
    kind: "decision",
    labels: options,
    head: { kind: "vocabulary", attention: "causal" },
    rows: [decisionRows],
    fields: { labels: { per: "example", dtype: "i32", fill: MASKED } },
    unlabeled: (text, row) => unanswered(text, row, options.length),
    encoder: ({ source }, _, { maxLength = Infinity }) => (row) => {
      const own = order(row)
      const shown = (all: ReadonlyArray<unknown>) => own.map((option) => all[places.indexOf(option)]) as never
      const ordered = { ...asked, options: shown(asked.options), descriptions: shown(asked.descriptions) }
      const { ids } = promptOf(row.state, ordered)
      const labels = [row.answer === MASKED ? MASKED : own.indexOf(row.answer)]
      if (ids.length > maxLength) {
        // The end of a prompt says what to answer: it cannot be cut.
        const message =
          `${source}: row ${row.row} makes a prompt of ${ids.length} tokens, maxLength is ${maxLength}: raise it`
        throw new DataError({ reason: "TooLong", message, rows: [row.row] })
      }
      return [{ before: none, body: ids, after: none, found: {}, fields: () => ({ labels }) }]
    },
    objective: (context) => perExample({ ...context, outputs: { ...context.outputs, logits: scores(context) } }),
    measure: (context) => ({ scores: scores(context) }),
    metrics: { loss: "lower", accuracy: "higher", macroF1: "higher", matthews: "higher" },
    judge: (measured, _, names) => {
      const predictions = measured.map(({ row, values }) => {
        const shares = softmax(Array.from(values.scores))
        const own = order(row)
        const probabilities = names.map((_, option) => shares[own.indexOf(option)])
        const best = probabilities.indexOf(Math.max(...probabilities))
        const expected = names[row.answer]
        return { text: row.state, expected, label: names[best], probability: probabilities[best], probabilities }
      })
      const expected = measured.map(({ row }) => row.answer)
      if (expected.includes(MASKED)) return { predictions }
      const chosen = Int32Array.from(predictions, ({ label }) => names.indexOf(label))
      const classification = classificationMetrics(expected, chosen, names)
      const { accuracy, macroF1, matthews } = classification
      return { metrics: { accuracy, macroF1, matthews }, classification, predictions }
    },
  }
}
