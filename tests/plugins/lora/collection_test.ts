import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as registry } from "../../../core/contracts/plugins.ts"
import * as Lora from "../../../plugins/lora/mod.ts"

Deno.test("merging layers loses no adapter", async () => {
  const both = Layer.mergeAll(Lora.layer({ name: "b", r: 2 }), Lora.layer({ name: "a", r: 4 }))
  const [names, rank, missing] = await Effect.gen(function* () {
    const lora = yield* Lora.Lora
    const all = yield* lora.adapters
    const { options } = yield* lora.adapter("a")
    return [[...all.keys()], options.r, yield* Effect.flip(lora.adapter("c"))] as const
  }).pipe(Effect.provide(both.pipe(Layer.provideMerge(registry))), Effect.scoped, Effect.runPromise)
  assertEquals(names, ["a", "b"])
  assertEquals(rank, 4)
  assertEquals(missing.message, `No adapter "c"; there are: a, b`)
})
