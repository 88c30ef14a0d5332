/**
 * The methods that a run file may name. Run, this module writes the JSON Schema of run files for editors: `deno task schema`.
 * @module
 */
import { field } from "../core/options/mod.ts"
import { type RunMethod, type RunMethods, runSchema } from "../core/run/mod.ts"
import * as Adapters from "../plugins/adapters/mod.ts"
import * as Curriculum from "../plugins/curriculum/mod.ts"
import * as DifferentialPrivacy from "../plugins/differential_privacy/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as Multitask from "../plugins/multitask/mod.ts"
import * as PrefixTuning from "../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../plugins/prompt_tuning/mod.ts"
import * as Replay from "../plugins/replay/mod.ts"

/** A method that can be for some of a run's tasks alone. */
const forSome = ({ options, layer }: RunMethod): RunMethod => ({
  options: {
    ...options,
    tasks: field.list(field.text({}), { minItems: 1, absent: "all", doc: "Names of the tasks that it is for" }),
  },
  layer: ({ tasks, ...own }: { readonly tasks?: ReadonlyArray<string> }) => {
    const method = layer(own as never)
    return tasks === undefined ? method : Multitask.forTasks(tasks, method)
  },
})

/** Methods by name. */
export const METHODS: RunMethods = {
  "lora": forSome(Lora),
  "adapters": forSome(Adapters),
  "prefix-tuning": forSome(PrefixTuning),
  "prompt-tuning": forSome(PromptTuning),
  "multitask": Multitask,
  "curriculum": Curriculum,
  "distill": { options: Replay.distillOptions, layer: Replay.distill },
  "replay": { options: Replay.rowsOptions, layer: Replay.rows },
  "elastic-weights": { options: Replay.elasticOptions, layer: Replay.elasticWeights },
  "differential-privacy": DifferentialPrivacy,
}

if (import.meta.main) {
  const file = new URL("./espalier.schema.json", import.meta.url)
  await Deno.writeTextFile(file, `${JSON.stringify(runSchema(METHODS), null, 2)}\n`)
}
