/**
 * Writing WebAssembly: the assembler, and how a kernel's work is divided.
 * @module
 */
export * from "./assembler.ts"
export { forColumns, loadLanes, loadStored, storeLanes } from "./lanes.ts"
export { groupedStage, itemsPerUnit, type KernelContext, type Stage } from "./kernel.ts"
