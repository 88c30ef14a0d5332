/** Name of the config's file. */
export const CONFIG_FILE: string = "adapter_config.json"
/** Name of the weights' file. */
export const WEIGHTS_FILE: string = "adapter_model.safetensors"

/** Where an adapter's file lies: an adapter named `default` at the top, any other in a folder of its name. */
export function adapterFile(adapter: string, file: string): string {
  return adapter === "default" ? file : `${adapter}/${file}`
}
