import { layer } from "../../../../core/backend/webgpu/backend.ts"
import { compareOperations } from "../operations.ts"
import { onWebgpu } from "./with_webgpu.ts"

// As on wasm, and what WGSL allows its functions besides.
const TOLERANCE = 5e-6

onWebgpu("every operation and its derivative", (t) => compareOperations(t, layer(), TOLERANCE))

for (const storage of ["bf16", "f16"] as const) {
  onWebgpu(
    `every operation and its derivative, slots of ${storage}`,
    (t) => compareOperations(t, layer(), TOLERANCE, storage),
  )
}
