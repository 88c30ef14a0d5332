import { assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as registry } from "../../../core/contracts/plugins.ts"
import * as Lora from "../../../plugins/lora/mod.ts"

Deno.test("merging layers loses no adapter", async () => {
  const both = Layer.mergeAll(Lora.layer({ name: "b", r: 2 }), Lora.layer({ name: "a", r: 4 }))
  const [names, rank] = await Effect.gen(function* () {
    const lora = yield* Lora.Lora
    const all = yield* lora.adapters
    return [[...all.keys()], all.get("a")?.r] as const
  }).pipe(Effect.provide(both.pipe(Layer.provideMerge(registry))), Effect.scoped, Effect.runPromise)
  assertEquals(names, ["a", "b"])
  assertEquals(rank, 4)
})
