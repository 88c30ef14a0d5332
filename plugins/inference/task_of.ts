import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { namesIn } from "../../core/model/head_labels.ts"
import { causalLM } from "../../core/tasks/causal_lm.ts"
import { classification } from "../../core/tasks/classification.ts"
import { multiLabelClassification } from "../../core/tasks/multi_label_classification.ts"
import { regression } from "../../core/tasks/regression.ts"
import { seq2seq } from "../../core/tasks/seq2seq.ts"
import type { TaskOf } from "../../core/tasks/task.ts"

type Config = Readonly<Record<string, unknown>>

/** The `config.json` of a directory; empty where there is none that can be read, which loading the model tells better. */
const configOf = (directory: string): Effect.Effect<Config, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* fileSystem
    const text = yield* fs.readFileString(`${directory}/config.json`)
    const config: unknown = yield* Effect.try(() => JSON.parse(text))
    return typeof config === "object" && config !== null ? config as Config : {}
  }).pipe(Effect.orElseSucceed((): Config => ({})))

/** What a classifier's head answers, by its config. */
function classifier(config: Config, labels: ReadonlyArray<string> | undefined): TaskOf {
  const count = Object.keys(config.id2label ?? {}).length || Number(config.num_labels ?? 2)
  const names = labels ?? namesIn(config) ?? Array.from({ length: count }, (_, i) => `LABEL_${i}`)
  if (config.problem_type === "multi_label_classification") return multiLabelClassification(names)
  return names.length === 1 || config.problem_type === "regression" ? regression(names) : classification(names)
}

/** What a model is loaded for. */
export interface Wanted {
  readonly classifies: boolean
  /** The first that its family has a head for counts. */
  readonly tasks: ReadonlyArray<TaskOf>
}

/**
 * What a model can be for, by its config, the first choice first: a classifier, else a writer of texts. What is neither, an
 * encoder, gets a head that nobody asks, for its embeddings.
 */
export const tasksOf = (
  directory: string,
  labels: ReadonlyArray<string> | undefined,
): Effect.Effect<Wanted, never, FileSystem.FileSystem> =>
  Effect.map(configOf(directory), (config) => {
    const [architecture] = [config.architectures ?? []].flat()
    const classifies = labels !== undefined || /ForSequenceClassification$/.test(String(architecture))
    const tasks = classifies ? [classifier(config, labels)] : [causalLM(), seq2seq(), regression(["none"])]
    return { classifies, tasks }
  })
