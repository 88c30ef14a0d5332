import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { Plugins } from "../../../core/contracts/plugins.ts"
import type { Site, SitePlan } from "../../../core/contracts/site.ts"
import { initialize, type Model, readParameters } from "../../../core/model/mod.ts"
import { resolveSites } from "../../../core/model/sites/sites.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, run } from "../../support/model_layer.ts"

const modules: ReadonlyArray<ModuleInfo> = [{
  path: "body.layer",
  kind: "Linear",
  sizes: {},
  parameters: {},
  outputHead: false,
  defaultTarget: false,
}]
const spec = (size = 2) => ({ shape: [size], initializer: { kind: "ones" } }) as const
const site = (place: SitePlan["place"], parameters: SitePlan["parameters"] = {}): Site => ({
  select: ["layer"],
  plan: () => ({ place, parameters, forward: (_: unknown, x: unknown) => x }) as SitePlan,
})

Deno.test("keys of plugins' parameters come from plugin, module and name", () => {
  const { parameters, byModule } = resolveSites(modules, [
    { id: "a/one", sites: [site("delta", { weight: spec() })] },
    { id: "b", sites: [site("after")], objective: { parameters: { balance: spec() }, wrap: (next) => next } },
  ])
  assertEquals(parameters.map(({ key }) => key), ["a/one:body.layer.weight", "b:objective.balance"])
  assertEquals(byModule.get("body.layer")!.map(({ owner }) => owner), ["a/one", "b"])
})

Deno.test("conflicts are errors that name the plugin", () => {
  const attempt = (...sites: Site[]) => () => resolveSites(modules, [{ id: "a", sites }])
  assertThrows(attempt(site("delta", { w: spec() }), site("after", { w: spec() })), PluginError, 'the parameter "w"')
  assertThrows(attempt(site("kv-prefix")), PluginError, '"kv-prefix" needs a module of kind Attention')
  assertThrows(attempt(site("input-prefix")), PluginError, "kind Backbone")
  assertThrows(attempt(site("residual")), PluginError, "whose output is added to the residual stream")
  assertThrows(attempt(site("delta", { w: spec(0) })), PluginError, "shape [0]")
  assertThrows(attempt({ ...site("delta"), select: ["other"] }), PluginError, "no module matches")
})

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 16,
}
const contributions: ReadonlyArray<Contribution> = [
  {
    id: "scale",
    sites: [{ select: ["mlp"], plan: () => ({ place: "after", parameters: {}, forward: (_, y) => ops.mul(y, 3) }) }],
  },
  {
    id: "shift",
    after: ["scale"],
    sites: [{ select: ["mlp"], plan: () => ({ place: "after", parameters: {}, forward: (_, y) => ops.add(y, 1) }) }],
  },
  {
    id: "delta",
    sites: [{
      select: ".*\\.down_proj",
      plan: ({ sizes: { inFeatures, outFeatures } }) => ({
        place: "delta",
        parameters: { weight: { shape: [outFeatures, inFeatures], initializer: { kind: "normal", std: 0.3 } } },
        forward: (scope, x) =>
          ops.matmul(scope.dropout(scope.dropout(x, 0.3), 0.2), scope.parameter("weight"), { transposeB: true }),
      }),
    }],
  },
  {
    id: "parallel",
    sites: [{
      select: ["layers.1"],
      plan: () => ({ place: "parallel", parameters: {}, forward: (_, x) => ops.mul(x, 0.5) }),
    }],
  },
  {
    id: "prefix",
    sites: [{
      select: ["self_attn"],
      plan: ({ sizes: { keyValueHeads, headDim } }) => {
        const part = { shape: [1, keyValueHeads, 2, headDim], initializer: { kind: "normal", std: 1 } } as const
        return {
          place: "kv-prefix",
          length: 2,
          parameters: { keys: part, values: part },
          forward: (scope) => ({ keys: scope.parameter("keys"), values: scope.parameter("values") }),
        }
      },
    }],
  },
  {
    id: "residual",
    sites: [{
      select: ({ residual }) => residual === "attention",
      plan: () => ({
        place: "residual",
        parameters: {},
        forward: (_, y, { input, join }) => ops.sub(join(y), ops.mul(input, 0.5)),
      }),
    }],
  },
  {
    id: "before",
    sites: [{
      select: ["down_proj"],
      plan: () => ({ place: "before", parameters: {}, forward: (_, x) => ops.mul(x, 2) }),
    }],
  },
]

interface Result {
  readonly model: Model
  readonly logits: Float64Array
  readonly values: ReadonlyMap<string, Float32Array>
}

/** A model over `list`, its logits with dropout on, and its parameters' values. */
function logitsOf(list: ReadonlyArray<Contribution>, methods = true): Promise<Result> {
  const backend = memoryBackend()
  const layers = list.map((one) =>
    Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(one)))
  )
  const all = layers.length === 0 ? undefined : Layer.mergeAll(...layers as [typeof layers[0], ...typeof layers])
  return run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task: Task.causalLM(), seed: 3 })
      const scalar = (name: string) => ops.input(name, [], { dtype: "i32" })
      const { logits } = model.forward({
        tokens: ops.input("tokens", [1, 4], { dtype: "i32" }),
        lengths: ops.input("lengths", [1], { dtype: "i32" }),
        fields: { labels: ops.input("labels", [1, 4], { dtype: "i32" }) },
        exampleWeight: ops.input("exampleWeight", [1]),
        task: "default",
      }, { training: true, key: [scalar("seed"), scalar("step")], methods })
      const inputs = { tokens: [1, 5, 7, 2], lengths: [4], seed: [1], step: [2] }
      const read = yield* readParameters(model, model.parameters)
      const values = new Map(read.map(({ parameter, data }) => [parameter.key, data]))
      return { model, logits: evaluate(logits, { inputs, slots: backend.slots }), values }
    }),
    all,
    backend,
  )
}

Deno.test("the same set gives the same model in any order of building", async () => {
  const first = await logitsOf(contributions)
  const other = await logitsOf(contributions.toReversed())
  const third = await logitsOf([2, 0, 6, 4, 5, 1, 3].map((i) => contributions[i]))
  assertEquals(other.logits, first.logits)
  assertEquals(third.logits, first.logits)
  assertEquals(other.model.parameters.map(({ key }) => key), first.model.parameters.map(({ key }) => key))
})

Deno.test("each site changes the result, and none does with methods off", async () => {
  const all = await logitsOf(contributions)
  const off = await logitsOf(contributions, false)
  const none = await logitsOf([])
  assertEquals(off.logits, none.logits)
  for (const left of contributions) {
    const { logits } = await logitsOf(contributions.filter((one) => one !== left))
    assert(distance(logits, all.logits) > 1e-4, left.id)
  }
})

Deno.test("what comes before a module is the input of what is added to its output too", async () => {
  const [, , delta, , , , before] = contributions
  const twice: Contribution = {
    id: "twice",
    sites: [{
      select: ["down_proj"],
      plan: () => ({ place: "after", parameters: {}, forward: (_, y) => ops.mul(y, 2) }),
    }],
  }
  assert(distance((await logitsOf([delta, before])).logits, (await logitsOf([delta, twice])).logits) < 1e-12)
})

Deno.test("where the last site at a part's end says so, nothing is added to what it gives", async () => {
  const ends = (joins: boolean, change: (y: Tensor, input: Tensor) => Tensor): Contribution => ({
    id: "ends",
    sites: [{
      select: ({ residual }) => residual !== undefined,
      plan: () => ({ place: "residual", parameters: {}, joins, forward: (_, y, { input }) => change(y, input) }),
    }],
  })
  const { logits } = await logitsOf([ends(false, (y, input) => ops.add(input, y))])
  assertEquals(logits, (await logitsOf([ends(true, (y) => y)])).logits)
  assertEquals(logits, (await logitsOf([])).logits)
  assert(distance(logits, (await logitsOf([ends(false, (y) => y)])).logits) > 1e-4)
})

Deno.test("plugins' parameters train, base ones only where a plugin says so or there is none", async () => {
  const trained = async (list: ReadonlyArray<Contribution>) =>
    (await logitsOf(list)).model.parameters.filter(({ trainable }) => trainable).map(({ key }) => key)
  assertEquals((await trained([])).length, 21)
  assertEquals(await trained([contributions[2]]), [0, 1].map((i) => `delta:model.layers.${i}.mlp.down_proj.weight`))
  const still = { ...spec(), trainable: false }
  const frozen: Contribution = {
    id: "frozen",
    sites: [{ ...site("delta", { still, moving: spec() }), select: ["mlp"] }],
  }
  assertEquals(await trained([frozen]), [0, 1].map((i) => `frozen:model.layers.${i}.mlp.moving`))
  assertEquals(await trained([{ id: "norms", trains: ({ path }) => path === "model.norm" }]), ["model.norm.weight"])
  const balance = { parameters: { balance: spec() }, wrap: <A>(next: A) => next }
  assertEquals((await trained([{ id: "loss", objective: balance }])).length, 22)
})

Deno.test("new weights depend on seed and key alone, and have the spread asked for", async () => {
  const { values: first } = await logitsOf([])
  const { values: again } = await logitsOf([contributions[2]])
  const key = "model.embed_tokens.weight"
  const values = first.get(key)!
  assertEquals(values, again.get(key))
  const std = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)
  assert(Math.abs(std - 0.02) < 0.003, `${std}`)
  assertEquals(first.get("model.norm.weight"), new Float32Array(8).fill(1))
  assert(distance(values.subarray(0, 64), first.get("model.layers.0.self_attn.q_proj.weight")!) > 0.01)
})
