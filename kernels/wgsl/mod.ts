/**
 * Writing WGSL: the operands of a shader, and how places become workgroups.
 * @module
 */
export {
  type Binding,
  type DeviceTraits,
  type Dispatch,
  type Element,
  type KernelContext,
  lineOfWorkgroups,
  type Operand,
  type Shader,
} from "./kernel.ts"
export { GROUP, PARAMETERS } from "./places.ts"
