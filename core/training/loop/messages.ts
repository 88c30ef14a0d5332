/**
 * Messages before a run. Imported when a run starts, so they are not part of a page's first load.
 * @module
 */
import type { TrainMessage } from "../../contracts/train_event.ts"
import type { Example } from "../../data/encode.ts"
import { notesOf } from "../../data/encode_notes.ts"
import { formatPreview, preview } from "../../data/preview.ts"
import type { Plan } from "../plan.ts"
import type { TaskExamples } from "./training_data.ts"

/** A learning rate of 0, under which nothing trains; what plugins say; secrets in checkpoints; notes of data, tokenizer and examples; an example with its learned part. Reports repeat warnings. */
export function messagesOf(
  { train, validation, tokenizer, maxLength, taskOf, contributions }: Plan,
  learningRate: number,
): ReadonlyArray<TrainMessage> {
  const all = [...Object.values(train), ...Object.values(validation)]
  const told = (level: TrainMessage["level"], texts: ReadonlyArray<string>) =>
    [...new Set(texts)].map((text): TrainMessage => ({ type: "message", level, text }))
  const shown = (task: string, example: Example) => {
    const { written = () => false } = taskOf(task)
    return `trained on, in brackets: ${formatPreview(preview(example, tokenizer, written))}`
  }
  const secretive = contributions.filter(({ gradients }) => gradients?.secret).map(({ id }) => id)
  const secrets =
    `checkpoints of this run hold the secret key of ${secretive.join(", ")}, which removes its noise: only ` +
    "their owner can read them (mode 0600), and they must not be published"
  return [
    ...told("warning", learningRate === 0 ? ["the learning rate is 0: this run changes no weights"] : []),
    ...contributions.flatMap(({ messages = [] }) => messages),
    ...told("warning", secretive.length === 0 ? [] : [secrets]),
    ...told("info", all.flatMap(({ data }) => data.notes ?? [])),
    ...told("warning", tokenizer.notes ?? []),
    ...told(
      "warning",
      all.flatMap(({ data, examples, found }) => notesOf(data, { examples, found }, tokenizer)),
    ),
    ...told("warning", all.flatMap((own) => cutNotes(own, maxLength))),
    ...told(
      "info",
      Object.entries(train).flatMap(([task, { data, examples: [first] }]) =>
        data.kind.manyAnswers ? [shown(task, first)] : []
      ),
    ),
  ]
}

/** How much of a data set was cut, where some of it was. */
const cutNotes = (
  { data: { source }, examples, truncated, longest }: TaskExamples,
  maxLength: number | undefined,
): ReadonlyArray<string> => {
  const share = Number((100 * truncated / examples.length).toFixed(1))
  return truncated === 0 ? [] : [
    `${source}: ${truncated} of ${examples.length} texts (${share} %) were cut to ${maxLength} tokens, so their ends are not ` +
    `learned; the longest has ${longest} (maxLength)`,
  ]
}
