import type { Head } from "../../core/contracts/head.ts"

/** PEFT's names of tasks. */
export const PEFT_TASK_TYPES = ["SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM", "SEQ_2_SEQ_LM", "FEATURE_EXTRACTION"] as const
/** PEFT's name of a task. */
export type PeftTaskType = typeof PEFT_TASK_TYPES[number]

const TYPES = { sequence: "SEQ_CLS", token: "TOKEN_CLS" } as const
const LANGUAGE_TYPES = { causal: "CAUSAL_LM", bidirectional: undefined, "encoder-decoder": "SEQ_2_SEQ_LM" } as const

/** PEFT's name of the task that a head is for; undefined where it has none. */
export function peftTaskType(head: Head): PeftTaskType | undefined {
  if (head.kind !== "vocabulary") return TYPES[head.kind]
  return LANGUAGE_TYPES[head.attention]
}
