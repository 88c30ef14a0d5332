/** PEFT's names of tasks. */
export const PEFT_TASK_TYPES = ["SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION"] as const
/** PEFT's name of a task. */
export type PeftTaskType = typeof PEFT_TASK_TYPES[number]

const TYPES: Readonly<Record<string, PeftTaskType>> = {
  "classification": "SEQ_CLS",
  "token-classification": "TOKEN_CLS",
  "causal-lm": "CAUSAL_LM",
}

/** PEFT's name of a kind of task; undefined where it has none. */
export function peftTaskType(task: string): PeftTaskType | undefined {
  return TYPES[task]
}
