/** What a plugin from outside may import, and nothing else. */
export type { Contribution } from "../../core/contracts/contribution.ts"
export type { Gradients } from "../../core/contracts/gradient_transform.ts"
export type { PluginError } from "../../core/contracts/plugin_error.ts"
export { plugin, type Plugins } from "../../core/contracts/plugins.ts"
export * as ops from "../../core/tensor/ops.ts"
export type { Tensor } from "../../core/tensor/tensor.ts"
