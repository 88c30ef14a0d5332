import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Backend, type BackendService } from "../../../../core/backend/backend.ts"
import { layer } from "../../../../core/backend/webgpu/backend.ts"
import type { TrainEvent } from "../../../../core/contracts/train_event.ts"
import { layer as plugins } from "../../../../core/contracts/plugins.ts"
import { layer as families } from "../../../../core/model/load/families.ts"
import { fit } from "../../../../core/training/fit.ts"
import type { TrainOptions } from "../../../../core/training/options.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"
import { classifier, texts, tokenizer, weightsOf } from "../../training/support.ts"
import { onWebgpu } from "./with_webgpu.ts"

/** Trains a fresh classifier on a device of its own; after `steps` steps, if given, the device is destroyed. */
const train = async (options: TrainOptions, steps?: number) => {
  const scope = Scope.makeUnsafe()
  const backend = await Effect.runPromise(
    Effect.map(Layer.buildWithScope(layer(), scope), (context): BackendService => Context.get(context, Backend)),
  )
  const lose = Scope.close(scope, Exit.void)
  const events: Array<TrainEvent> = []
  const program = Effect.gen(function* () {
    const model = yield* classifier()
    yield* fit(model, { train: texts(24) }, {
      ...options,
      observe: (event) =>
        Effect.suspend(() => {
          events.push(event)
          return event.type === "step" && event.step === steps ? lose : Effect.void
        }),
    })
    return yield* Effect.promise(() => weightsOf(model))
  })
  const services = Llama.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Layer.succeed(Backend, backend), plugins, families, NodeFileSystem.layer)),
  )
  const exit = await Effect.runPromiseExit(Effect.scoped(program).pipe(Effect.provide(services, { local: true })))
  await Effect.runPromise(lose)
  return { exit, events }
}

onWebgpu("a run whose device is lost fails, and ends from its checkpoint as one that was never stopped", async () => {
  const directory = await Deno.makeTempDir()
  const options = { epochs: 3, learningRate: 1e-2, batchSize: 6, tokenizer, saveEvery: 3 }
  try {
    const whole = await train(options)
    assert(Exit.isSuccess(whole.exit), `${whole.exit}`)
    const lost = await train({ ...options, runFolder: `${directory}/run` }, 5)
    assert(Exit.isFailure(lost.exit))
    assert(`${lost.exit.cause}`.includes("webgpu backend stopped"), `${lost.exit.cause}`)
    const resumed = await train({ ...options, runFolder: `${directory}/run`, resume: true })
    assert(Exit.isSuccess(resumed.exit), `${resumed.exit}`)
    const start = resumed.events[0]
    assert(start.type === "start" && start.resumedFrom !== undefined && start.resumedFrom >= 3)
    assertEquals(resumed.exit.value, whole.exit.value)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
