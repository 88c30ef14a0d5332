import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { SitePlan } from "../../../core/contracts/site.ts"
import { initialize, load, merge, type Model, saveMerged } from "../../../core/model/mod.ts"
import type { Families } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { trainedParameters } from "../../../core/training/step/session_options.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { TrainingError } from "../../../core/training/training_error.ts"
import * as Adapters from "../../../plugins/adapters/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"
import { inDirectory, logits } from "../../plugins/files.ts"

const config = {
  model_type: "qwen2",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.3,
}
const task = Task.causalLM()
const start = { kind: "normal", std: 0.5 } as const
const site = (id: string, plan: SitePlan): Contribution => ({ id, sites: [{ select: ["q_proj"], plan: () => plan }] })
const scale = (rows: boolean) => ({ s: { shape: rows ? [8, 1] : [8], initializer: start } })

/** Changes of a product with a bias at three places, with how each folds. */
const contributions: ReadonlyArray<Contribution> = [
  site("m/delta", {
    place: "delta",
    parameters: { w: { shape: [8, 8], initializer: start } },
    forward: ({ parameter }, x) => ops.matmul(x, parameter("w"), { transposeB: true }),
    merge: { weight: ({ parameter }, weight) => ops.add(weight, parameter("w")) },
  }),
  site("m/before", {
    place: "before",
    parameters: scale(false),
    forward: ({ parameter }, x) => ops.mul(x, parameter("s")),
    merge: { weight: ({ parameter }, weight) => ops.mul(weight, parameter("s")) },
  }),
  site("m/after", {
    place: "after",
    parameters: scale(true),
    forward: ({ parameter }, y) => ops.mul(y, ops.reshape(parameter("s"), [8])),
    merge: {
      weight: ({ parameter }, weight) => ops.mul(weight, parameter("s")),
      bias: ({ parameter }, bias) => ops.mul(bias, ops.reshape(parameter("s"), [8])),
    },
  }),
  site("m/silent", { place: "delta", parameters: {}, forward: (_, x) => ops.mul(x, 0.1) }),
]
const withModel = (
  use: (
    model: Model,
    of: (model: Model) => ReadonlyArray<number>,
  ) => Effect.Effect<void, unknown, Scope.Scope | FileSystem.FileSystem | Families>,
  all = contributions,
): Promise<void> => {
  const backend = memoryBackend()
  const registered = Layer.effectDiscard(Effect.gen(function* () {
    const plugins = yield* Plugins
    for (const contribution of all) yield* plugins.register(contribution)
  }))
  return run(
    Effect.flatMap(initialize(config, { task }), (model) => use(model, (own) => Array.from(logits(own, backend)))),
    Layer.merge(registered, Adapters.layer()),
    backend,
  )
}

Deno.test("core merges any method whose sites say how, at every place, some or all of them", () =>
  inDirectory((directory) =>
    withModel((whole, logitsOf) =>
      Effect.gen(function* () {
        const model = whole.view({ only: ["m/delta", "m/before", "m/after"] })
        const expected = logitsOf(model)
        const merged = yield* merge(model)
        assertEquals([...merged.folded.keys()].length, 4)
        assert(distance(logitsOf(merged), expected) < 1e-5)
        assertEquals(distance(logitsOf(model), expected), 0)
        assert(distance(logitsOf(model.view({ only: [] })), expected) > 1e-3)
        // A sum can be merged alone; what is scaled afterwards cannot be left beside it.
        assert(distance(logitsOf(yield* merge(model, ["m/delta"])), expected) < 1e-5)
        assertStringIncludes(
          (yield* Effect.flip(merge(model, ["m/after"]))).message,
          'm/after and m/before both change "model.layers.0.self_attn.q_proj", one after the other: merge both',
        )
        yield* saveMerged(model, `${directory}/merged`)
        assertEquals(distance(logitsOf(model), expected), 0)
        const again = memoryBackend()
        yield* Effect.promise(() =>
          run(
            Effect.map(load(`${directory}/merged`, { task }), (saved) => {
              assert(distance(logits(saved, again), expected) < 1e-5)
            }),
            undefined,
            again,
          )
        )
      })
    )
  ))

Deno.test("a method that does not fold says so, and nothing is written", () =>
  withModel((model) =>
    Effect.gen(function* () {
      const refused = (names: ReadonlyArray<string>) =>
        Effect.map(Effect.flip(merge(model, names)), ({ message }) => message)
      assertStringIncludes(
        yield* refused(["m/silent"]),
        'm/silent cannot be merged at "model.layers.0.self_attn.q_proj": its "delta" site does not say how',
      )
      assertStringIncludes(yield* refused(["adapters"]), "a bottleneck with an activation is no change of a weight")
      assertStringIncludes(yield* refused(["n"]), 'the model has no plugin "n"')
      assertStringIncludes(
        (yield* Effect.flip(merge(model.view({ only: [] })))).message,
        "no plugin that is on changes a module",
      )
    })
  ))

/** A plugin that trains a matrix whole, beside one that adds to it. */
const beside: Contribution = {
  id: "t/whole",
  trains: ({ path }, name) => path.endsWith("q_proj") && name === "weight",
}

Deno.test("what trains whole beside merged updates: a view without it, a merge without it, and memory of its own", () =>
  withModel((whole, logitsOf) =>
    Effect.gen(function* () {
      const key = "model.layers.0.self_attn.q_proj.weight"
      const write = (by: number) =>
        Effect.gen(function* () {
          const { slot } = whole.parameters.find((parameter) => parameter.key === key)!
          const data = yield* Effect.promise(() => whole.backend.read(slot)) as Effect.Effect<Float32Array>
          yield* Effect.promise(() => whole.backend.write(slot, data.map((value, i) => value + by * Math.sin(i))))
        })
      yield* write(0.3)
      const model = whole.view({ only: ["m/delta", "t/whole"] })
      const [both, alone, none] = [model, model.view({ without: ["t/whole"] }), model.view({ only: [] })].map(logitsOf)
      assert(distance(both, alone) > 1e-3 && distance(alone, none) > 1e-3)
      const merged = yield* merge(model)
      assert(distance(logitsOf(merged), both) < 1e-5)
      assert(distance(logitsOf(merged.view({ without: ["t/whole"] })), alone) < 1e-5)
      // Merged while the other is off, which comes on again later.
      const later = yield* merge(model.view({ without: ["t/whole"] }))
      assert(distance(logitsOf(later), alone) < 1e-5)
      assert(distance(logitsOf(later.view({ only: ["m/delta", "t/whole"] })), both) < 1e-5)
      yield* write(0.5)
      assert(distance(logitsOf(model), both) > 1e-3)
      assert(distance(logitsOf(merged), both) < 1e-5)
    }), [...contributions, beside]))

Deno.test("a head that trains goes on apart from that of a merged model; what is off is not merged", () =>
  withModel((whole, logitsOf) =>
    Effect.gen(function* () {
      const model = whole.view({ only: ["m/delta", "t/head"] })
      const before = logitsOf(model)
      const merged = yield* merge(model)
      const { slot } = model.parameters.find(({ key }) => key === "lm_head.weight")!
      yield* Effect.promise(() => model.backend.write(slot, new Float32Array(20 * 8)))
      assert(logitsOf(model).every((value) => value === 0))
      assert(distance(logitsOf(merged), before) < 1e-5)

      const off = yield* Effect.flip(merge(whole.view({ without: ["m/delta"] }), ["m/delta"]))
      assertStringIncludes(off.message, "m/delta is off in this view of the model: merge one in which it is on")
      const twice = yield* Effect.flip(merge(merged, ["m/delta"]))
      assertStringIncludes(twice.message, "m/delta is merged already")
    }), [...contributions, { id: "t/head", trains: ({ path }) => path === "lm_head" }]))

Deno.test("training leaves out what is merged and what is off, base parameters included", () =>
  withModel((whole) =>
    Effect.gen(function* () {
      const model = whole.view({ only: ["m/delta", "m/after", "t/head"] })
      const owners = (own: Model) => [...new Set(trainedParameters(own).map(({ owner }) => owner))].sort()
      assertEquals(owners(model), ["base", "m/after", "m/delta"])
      const merged = yield* merge(model, ["m/delta"])
      assertEquals(owners(merged), ["base", "m/after"])
      assertEquals(owners(merged.view({ without: ["t/head"] })), ["m/after"])
      assertThrows(() => trainedParameters(merged.view({ only: ["m/delta"] })), TrainingError, "no parameter")
    }), [...contributions, { id: "t/head", trains: ({ path }) => path === "lm_head" }]))
