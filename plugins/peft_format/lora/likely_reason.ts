import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import type { Shape } from "../../../core/tensor/shape.ts"
import { HEADS, PREFIX } from "../../peft_names/mod.ts"
import type { Differences } from "../tensors.ts"

/** Tensors of what PEFT does beside low-rank updates, by what asks for it. */
const OF_OPTIONS: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /token_adapter|trainable_tokens/,
    "trainable_token_indices trained single rows of an embedding, which is not known here",
  ],
  [/\.lora_[AB]\.bias$/, "lora_bias trained a bias of the update, which is not known here"],
  [/\.lora_magnitude_vector$/, "it is a DoRA adapter: use_dora in its config must be true"],
  [
    /\.(lora_diag|vera_|ada_ia3|ia3_|oft_|hra_|hada_|lokr_|boft_|road_|miss_|bone_)/,
    "it is of another method than LoRA",
  ],
]

/** Why every A may have a column for each group of inputs where it should have one for each, or the other way around. */
function otherGroups(misshapen: Differences["misshapen"], groupSize: number): string | undefined {
  const ratios = new Set(
    misshapen.map(({ name, got, wanted }) =>
      /\.lora_A\.weight$/.test(name) && got[0] === wanted[0] ? got[1] / wanted[1] : undefined
    ),
  )
  const [ratio] = ratios
  if (ratios.size !== 1 || ratio === undefined) return undefined
  if (groupSize === 1 && Number.isInteger(1 / ratio)) {
    return `A has one column for each ${1 / ratio} inputs: it is a QA-LoRA adapter; load it with QaLora.fromPeft`
  }
  return groupSize > 1 && ratio === groupSize
    ? "A has a column for each input: it is plain LoRA, which PEFT trains in spite of use_qalora where layers are not " +
      "GPTQ's; load it with Lora.fromPeft"
    : undefined
}

/** Why an adapter's tensors may not be those that its model and options want; empty where nothing is known. */
export function likelyReason(
  { missing, unexpected, misshapen }: Differences,
  found: ReadonlyMap<string, Shape>,
  { modules, baseModel, groupSize = 1 }: {
    readonly modules: ReadonlyArray<ModuleInfo>
    readonly baseModel: string
    readonly groupSize?: number
  },
): string {
  if (found.size === 0) return "the file holds no tensors"
  const made = baseModel === ""
    ? "another base model"
    : `another base model: its config names ${JSON.stringify(baseModel)}`
  const paths = new Set(modules.map(({ path }) => path))
  const moduleOf = (name: string) =>
    name.slice(PREFIX.length).replace(/(\.base_layer)?(\.lora_\w+)?(\.(weight|bias))?$/, "")
  for (const [pattern, reason] of OF_OPTIONS) if (unexpected.some((name) => pattern.test(name))) return reason
  const groups = otherGroups(misshapen, groupSize)
  if (groups !== undefined) return groups
  const ranks = misshapen.filter(({ name }) => /\.lora_(embedding_)?[AB]/.test(name))
  const onlyRanks = ranks.every(({ name, got, wanted }) => {
    const other = /A(\.weight)?$/.test(name) ? 1 : 0
    return got[other] === wanted[other]
  })
  if (ranks.length > 0 && ranks.length === misshapen.length && onlyRanks) {
    return "r and rank_pattern of its config are not those that it was trained with"
  }
  if (misshapen.length > 0) return `it was made for ${made}`
  const strange = unexpected.map(moduleOf).filter((path) => modules.length > 0 && !paths.has(path))
  if (strange.length > 0) {
    const most = (names: Iterable<string>) =>
      Math.max(-1, ...[...names].map((name) => Number(/\.(\d+)\./.exec(`${name}.`)?.[1] ?? -1)))
    const [theirs, ours] = [most(strange), most(paths)]
    if (theirs > ours && ours >= 0) {
      return `it was made for ${made}, of ${theirs + 1} layers at least; here are ${ours + 1}`
    }
    return `it was made for ${made}; the model has no ${JSON.stringify(strange[0])}`
  }
  const head = missing.find((name) => HEADS.some((head) => moduleOf(name).endsWith(head)))
  if (head !== undefined) {
    return `it was saved without the head ${
      JSON.stringify(moduleOf(head))
    }: made for another task, or without a task_type`
  }
  const whole = unexpected.filter((name) => !name.includes(".lora_"))
  if (whole.length > 0) {
    return `modules_to_save of its config does not name ${
      JSON.stringify(moduleOf(whole[0]))
    }, or it was saved with more ` +
      "than the adapter"
  }
  if (unexpected.length > 0) {
    return `its config does not adapt ${JSON.stringify(moduleOf(unexpected[0]))}: target_modules, exclude_modules or ` +
      "layers_to_transform are not those that it was trained with"
  }
  return missing.length > 0 ? "the file is not complete, or its config names more modules than it was trained with" : ""
}
