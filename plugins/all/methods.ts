import type * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import type { Plugins } from "../../core/contracts/plugins.ts"
import { field } from "../../core/options/mod.ts"
import type { RunMethod, RunMethods } from "../../core/run/mod.ts"
import * as Adapters from "../adapters/mod.ts"
import * as Curriculum from "../curriculum/mod.ts"
import * as DifferentialPrivacy from "../differential_privacy/mod.ts"
import * as Lora from "../lora/mod.ts"
import * as Multitask from "../multitask/mod.ts"
import * as PrefixTuning from "../prefix_tuning/mod.ts"
import * as PromptTuning from "../prompt_tuning/mod.ts"
import * as QaLora from "../qa_lora/mod.ts"
import * as QLora from "../qlora/mod.ts"
import * as Quantization from "../quantization/mod.ts"
import * as Replay from "../replay/mod.ts"

type Groups = Quantization.GroupQuantization

/** A method that can be for some of a run's tasks alone. */
const forSome = ({ options, layer, ...rest }: RunMethod): RunMethod => ({
  ...rest,
  options: {
    ...options,
    tasks: field.list(field.text({}), { minItems: 1, absent: "all", doc: "Names of the tasks that it is for" }),
  },
  layer: ({ tasks, ...own }: { readonly tasks?: ReadonlyArray<string> }) => {
    const method = layer(own as never)
    return tasks === undefined ? method : Multitask.forTasks(tasks, method)
  },
})

/** A method over a quantized base. */
const over = ({ options, layer }: {
  readonly options: RunMethod["options"]
  readonly layer: (options: never) => Layer.Layer<never, PluginError, Plugins | Quantization.Quantization | Groups>
}): RunMethod => ({ options, layer: layer as RunMethod["layer"], needs: ["quantization"] })

/** The methods of this package that a run may name. */
export const METHODS: RunMethods = {
  "lora": forSome(Lora),
  "quantization": Quantization,
  "qlora": forSome(over(QLora)),
  "qa-lora": forSome(over(QaLora)),
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
