import * as Effect from "effect/Effect"
import { Backend, type BackendService } from "../../../../core/backend/backend.ts"
import { layer, type WebgpuOptions } from "../../../../core/backend/webgpu/backend.ts"

const adapter = await navigator.gpu?.requestAdapter() ?? null

/** A test that needs WebGPU: visibly ignored where there is no adapter (`.ci/run` takes that as a failure). */
export const onWebgpu = (name: string, fn: (t: Deno.TestContext) => Promise<void>): void =>
  Deno.test({
    name: `webgpu: ${name}${adapter === null ? " (NOT RUN: no WebGPU adapter; mesa-vulkan-drivers brings one)" : ""}`,
    ignore: adapter === null,
    fn,
  })

/** Runs a test on a device of its own, which ends with it. */
export const withWebgpu = <A>(
  body: (backend: BackendService) => Promise<A>,
  options: WebgpuOptions = {},
): Promise<A> =>
  Effect.gen(function* () {
    const backend = yield* Backend
    return yield* Effect.tryPromise({ try: () => body(backend), catch: (error) => error })
  }).pipe(Effect.provide(layer(options), { local: true }), Effect.runPromise)
