import type { NamedValues } from "../../core/contracts/contribution.ts"
import { openAdapterWeights } from "./adapter_weights.ts"
import { peftError } from "../peft_names/mod.ts"

/** What a name says: module and parameter of a method, a wrapped module's own parameter, or any other one. */
const NAME = /^base_model\.model\.(?:(.+)\.(lora_\w+?)(?:\.weight)?|(.+?)(\.base_layer)?\.([^.]+))$/

/**
 * All values of `adapter_model.safetensors`, whatever the model. Parameters of the method are owned by `owner`; base
 * parameters that trained beside it by `"base"`. The frozen weight that PEFT adds beside a targeted embedding is passed
 * over. Throws {@link PeftError} on other names than PEFT's.
 */
export function decodeAllWeights(bytes: Uint8Array, owner: string, file: string): ReadonlyArray<NamedValues> {
  const values: NamedValues[] = []
  const { shapes, read } = openAdapterWeights(bytes, file, [])
  for (const [key, shape] of shapes) {
    const found = NAME.exec(key)
    if (found === null || key.endsWith(".lora_B.bias")) {
      throw peftError("Unsupported", file, `tensor "${key}" is not known here`)
    }
    const data = read(key)
    const [, adapted, own, path, wrapped, name] = found
    const initializer = { kind: "values", data } as const
    if (own !== undefined) {
      const parameter = { owner, module: adapted, name: own, key: `${owner}:${adapted}.${own}`, shape, initializer }
      values.push({ parameter, data })
    } else if (wrapped === undefined || name !== "weight") {
      const parameter = { owner: "base", module: path, name, key: `${path}.${name}`, shape, initializer }
      values.push({ parameter, data })
    }
  }
  return values
}
