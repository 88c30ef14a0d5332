import { formatCount } from "./format.ts"

/** PEFT's one-line account (`print_trainable_parameters`) of what is trained. */
export function trainableParametersLine(trainable: number, total: number): string {
  const percent = total === 0 ? 0 : 100 * trainable / total
  const counts = `trainable params: ${formatCount(trainable)} || all params: ${formatCount(total)}`
  return `${counts} || trainable%: ${percent.toFixed(4)}`
}
