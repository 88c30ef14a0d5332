/**
 * Writing WGSL: how places become workgroups.
 * @module
 */
export { lineOfWorkgroups } from "./kernel.ts"
export { GROUP, PARAMETERS } from "./places.ts"
