import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { plugin } from "../../../core/contracts/plugins.ts"
import type { SitePlan } from "../../../core/contracts/site.ts"
import { load } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { failure, fixture } from "../../support/model_layer.ts"

const error = new PluginError({ plugin: "broken/one", message: "the set-up is broken" })
const plan = (): SitePlan => ({
  place: "after",
  parameters: { w: { shape: [1], initializer: { kind: "zeros" } } },
  forward: (_, y) => y,
})
const sites = [{ select: "all-linear" as const, plan }]
/** Where a plugin may throw while it is set up. */
const broken: Readonly<Record<string, Effect.Effect<Contribution, PluginError>>> = {
  "its layer": Effect.fail(error),
  "its plan": Effect.succeed({
    id: "broken/one",
    sites: [{
      select: "all-linear",
      plan: () => {
        throw error
      },
    }],
  }),
  "its first values": Effect.succeed({ id: "broken/one", sites, initialize: () => Effect.fail(error) }),
  "its files": Effect.succeed({
    id: "broken/one",
    sites,
    artifacts: { initial: {}, save: () => Effect.succeed({}), load: () => Effect.fail(error) },
  }),
}

for (const [where, contribution] of Object.entries(broken)) {
  Deno.test(`a plugin that throws in ${where} leaves nothing held`, async () => {
    const held = new Set<string>()
    const key = Context.Service<"broken", null>("broken")
    const layer = plugin(
      key,
      Effect.acquireRelease(
        Effect.sync(() => held.add("resource")),
        () => Effect.sync(() => held.delete("resource")),
      ).pipe(
        Effect.tap(() => Effect.sync(() => assertEquals(held.size, 1))),
        Effect.flatMap(() => contribution),
        Effect.map((made) => [null, made] as const),
      ),
    )
    const backend = memoryBackend()
    const { message } = await failure(load(fixture("llama/llama"), { task: Task.causalLM() }), layer, backend)
    assertStringIncludes(message, "the set-up is broken")
    assertEquals([held.size, backend.slots.size], [0, 0])
  })
}
