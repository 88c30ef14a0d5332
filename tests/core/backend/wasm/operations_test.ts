import { layer } from "../../../../core/backend/wasm/backend.ts"
import { compareOperations } from "../operations.ts"

// Float32 sums of up to 64 terms, and the vector functions' few last bits.
const TOLERANCE = 3e-6

Deno.test("every operation and its derivative on wasm, relaxed SIMD, two threads", (t) =>
  compareOperations(t, layer({ threads: 2 }), TOLERANCE))

Deno.test("every operation and its derivative on wasm, plain SIMD, no shared memory", (t) =>
  compareOperations(t, layer({ relaxedSimd: false, sharedMemory: false }), TOLERANCE))

for (const storage of ["bf16", "f16"] as const) {
  Deno.test(`every operation and its derivative on wasm, slots of ${storage}`, (t) =>
    compareOperations(t, layer({ threads: 2 }), TOLERANCE, storage))
}
