/**
 * Messages before a run. Imported when a run starts, so they are not part of a page's first load.
 * @module
 */
import type { TrainMessage } from "../../contracts/train_event.ts"
import type { Example } from "../../data/encode.ts"
import { notesOf } from "../../data/encode_notes.ts"
import { formatPreview, preview } from "../../data/preview.ts"
import type { Plan } from "../plan.ts"

/** A learning rate of 0, under which nothing trains; what plugins say; secrets in checkpoints; notes of data, tokenizer and examples; an example with its learned part. Reports repeat warnings. */
export function messagesOf(
  { train, validation, tokenizer, maxLength, taskOf, contributions }: Plan,
  learningRate: number,
): ReadonlyArray<TrainMessage> {
  const all = [...Object.values(train), ...Object.values(validation)]
  const truncated = all.reduce((sum, own) => sum + own.truncated, 0)
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
    ...told("warning", truncated === 0 ? [] : [`${truncated} texts were cut to ${maxLength} tokens`]),
    ...told(
      "info",
      Object.entries(train).flatMap(([task, { data, examples: [first] }]) =>
        data.kind.manyAnswers ? [shown(task, first)] : []
      ),
    ),
  ]
}
