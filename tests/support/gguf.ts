/**
 * Models in GGUF files beside what transformers computes with them.
 * @module
 */
import { Task } from "../../core/tasks/builtin.ts"
import { outputsOf } from "./directory.ts"
import { distance, fixture } from "./model_layer.ts"

/** Largest difference of logits between a file and the model of a fixture. */
export const logitsOff = async (name: string, path: string): Promise<number> => {
  const expected: { readonly tokens: Array<number>; readonly every: number; readonly logits: Array<number> } = JSON
    .parse(
      Deno.readTextFileSync(fixture(`gguf/${name}.json`)),
    )
  const { logits } = await outputsOf(path, Task.causalLM(), expected.tokens)
  return distance(Array.from(logits).filter((_, i) => i % expected.every === 0), expected.logits)
}
