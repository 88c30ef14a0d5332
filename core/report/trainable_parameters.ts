import { formatCount } from "./format.ts"

/** Counts of parameters in the words of PEFT's `print_trainable_parameters`. */
export function trainableParametersLine(trainable: number, total: number): string {
  const percent = total === 0 ? 0 : 100 * trainable / total
  const counts = `trainable params: ${formatCount(trainable)} || all params: ${formatCount(total)}`
  return `${counts} || trainable%: ${percent.toFixed(4)}`
}
