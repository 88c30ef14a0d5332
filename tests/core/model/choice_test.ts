import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { SitePlan } from "../../../core/contracts/site.ts"
import { chooseByRow, initialize, type Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.3,
}
const plugin = (id: string, select: string, plan: SitePlan): Contribution => ({
  id,
  sites: [{ select: [select], plan: () => plan }],
})
const none = { parameters: {} }
const contributions: ReadonlyArray<Contribution> = [
  plugin("m/before", "down_proj", { ...none, place: "before", forward: (_, x) => ops.mul(x, 2) }),
  plugin("m/delta", "up_proj", {
    ...none,
    place: "delta",
    forward: (_, x) => ops.concat([x, ops.narrow(x, 2, 0, 4)], 2),
  }),
  plugin("m/parallel", "mlp", { ...none, place: "parallel", forward: (_, x) => ops.mul(x, 0.5) }),
  plugin("m/after", "v_proj", { ...none, place: "after", forward: (_, y) => ops.add(y, 0.3) }),
  // Of another method: in every row.
  plugin("n/always", "o_proj", { ...none, place: "after", forward: (_, y) => ops.mul(y, 1.5) }),
]
const ROWS = 5
const tokens = Int32Array.from({ length: ROWS * 3 }, (_, i) => 1 + i * 7 % 19)

const withModel = (
  use: (model: Model, logits: (ids?: ReadonlyArray<string>, view?: Model) => number[][]) => void,
): Promise<void> => {
  const backend = memoryBackend()
  const layer = Layer.effectDiscard(Effect.gen(function* () {
    const plugins = yield* Plugins
    for (const contribution of contributions) yield* plugins.register(contribution)
  }))
  return run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.causalLM() })
      use(model, (ids, view = model) => {
        const chosen = ids && chooseByRow(model, ids)
        const outputs = view.forward({
          tokens: ops.constant(tokens, [ROWS, 3]),
          lengths: ops.full(3, [ROWS], "i32"),
          fields: {},
          exampleWeight: ops.full(1, [ROWS]),
          task: "",
        }, {
          training: false,
          ...(chosen && { choice: { plugins: chosen.plugins, index: ops.constant(chosen.index, [ROWS]) } }),
        })
        const values = Array.from(evaluate(outputs.logits, { slots: backend.slots }))
        return Array.from({ length: ROWS }, (_, row) => values.slice(row * 60, (row + 1) * 60))
      })
    }),
    layer as never,
    backend,
  )
}

Deno.test("each row takes the site of its own plugin, at every place where rows can differ", () =>
  withModel((model, logits) => {
    const ids = contributions.map(({ id }) => id)
    const chosen = ids.filter((id) => id.startsWith("m/"))
    const alone = chosen.map((id) => logits(undefined, model.view({ without: chosen.filter((other) => other !== id) })))
    alone.push(logits(undefined, model.view({ without: ["m"] })))
    const mixed = logits([...chosen, ""])
    for (const [row, values] of mixed.entries()) {
      for (const [at, all] of alone.entries()) {
        const off = distance(values, all[row])
        assert(at === row ? off < 1e-12 : off > 1e-4, `row ${row} and ${chosen[at] ?? "none"}: ${off}`)
      }
    }
    // Where no method is named, none is at work.
    const base = logits(undefined, model.view({ only: [] }))
    assertEquals(distance(logits(new Array(ROWS).fill("")).flat(), base.flat()), 0)
  }))

Deno.test("a choice names what is there and on", () =>
  withModel((model) => {
    assertEquals([...chooseByRow(model, ["m/after", "", "m/delta"]).index], [0, 4, 2])
    assertThrows(() => chooseByRow(model, ["m/after", "m/x"]), PluginError, 'row 2 wants "m/x", which is not there')
    const view = model.view({ without: ["m/after"] })
    assertThrows(() => chooseByRow(view, ["m/delta"]), PluginError, "m/after is switched off")
    const merged = { ...model, merged: new Set(["m/delta"]) }
    assertThrows(() => chooseByRow(merged, ["m/after"]), PluginError, "m/delta is merged")
  }))
