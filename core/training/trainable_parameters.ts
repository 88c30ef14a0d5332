/** PEFT's one-line account (`print_trainable_parameters`) of what is trained. */
export function trainableParametersLine(trainable: number, total: number): string {
  const group = (count: number) => count.toLocaleString("en-US")
  const percent = total === 0 ? 0 : 100 * trainable / total
  return `trainable params: ${group(trainable)} || all params: ${group(total)} || trainable%: ${percent.toFixed(4)}`
}
