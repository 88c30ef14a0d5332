/**
 * Names and patterns of one's own runs: as PEFT will read them in what is saved.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { initialize, readParameters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type Base, failure, run } from "../../support/model_layer.ts"

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  max_position_embeddings: 16,
}
const task = Task.causalLM()
const layerOf = (options: Lora.LoraOptions) => Lora.layer(options) as Layer.Layer<Lora.Lora, never, Base>
/** What trains whole, the modules that are adapted, and what is told. */
const made = (options: Lora.LoraOptions) =>
  run(
    Effect.map(initialize(config, { task }), ({ parameters, notes }) => ({
      whole: parameters.filter(({ owner, trainable }) => owner === "base" && trainable).map(({ key }) => key),
      adapted: parameters.filter(({ name }) => name === "lora_A").map(({ module, shape }) => `${module} ${shape[0]}`),
      notes,
    })),
    layerOf(options),
  )

Deno.test("modulesToSave takes all that ends in a name, and tells it", async () => {
  const norms = await made({ modulesToSave: ["norm"] })
  assertEquals(norms.whole.length, 7)
  assertEquals(norms.notes, [
    'lora/default: modulesToSave "norm" takes all that end so, as PEFT reads it: input_layernorm, ' +
    "post_attention_layernorm, norm",
  ])
  assertEquals((await made({ modulesToSave: ["model.norm"] })).whole, ["model.norm.weight"])
  assertEquals((await made({ modulesToSave: ["model.norm"] })).notes, [])
  assertEquals((await made({ modulesToSave: ["2.mlp"] })).whole.length, 3)
  assertEquals((await made({ modulesToSave: ["down_proj", "tokens"] })).whole.length, 4)
  const both = await failure(initialize(config, { task }), layerOf({ modulesToSave: ["_proj"] }))
  assertStringIncludes(both.message, '"model.layers.0.self_attn.q_proj" would be adapted and train whole')
  const list = await failure(initialize(config, { task }), layerOf({ modulesToSave: ["layers"] }))
  assertStringIncludes(list.message, 'modulesToSave "layers" is a list of modules, which PEFT does not take')
})

Deno.test("patterns are Python's: targets, ranks, layers", async () => {
  const { adapted } = await made({
    targetModules: String.raw`(?i).*\.(?P<layer>\d)\.SELF_ATTN\.[qk]_proj`,
    excludeModules: String.raw`.*k_proj\Z`,
    rankPattern: { [String.raw`^model\.layers\.1\..*`]: 3, "layers.[2].self_attn.q{,1}_proj": 5 },
  })
  assertEquals(adapted, [0, 1, 2].map((i) => `model.layers.${i}.self_attn.q_proj ${[8, 3, 5][i]}`))
  // A whole path is taken in any layer; alternatives are not held together, as PEFT puts the pattern in.
  const named = { targetModules: ["v_proj", "model.layers.0.mlp.up_proj"], layersToTransform: [2] }
  assertEquals((await made(named)).adapted.map((text) => text.split(" ")[0]), [
    "model.layers.0.mlp.up_proj",
    "model.layers.2.self_attn.v_proj",
  ])
  assertEquals((await made({ ...named, layersPattern: "(h|layers)" })).adapted.length, 2)
  assertEquals((await made({ ...named, layersPattern: "layers|h" })).adapted, ["model.layers.0.mlp.up_proj 8"])
  for (
    const [options, message] of [
      [{ targetModules: "(?<n>.*)q_proj" }, "is written (?P<name>...), at 1"],
      [{ targetModules: String.raw`.*\p{L}_proj` }, "no escape of Python's, at 3"],
      [{ rankPattern: { "(?i)q_proj": 2 } }, "must come first"],
      [{ excludeModules: "(a)?(?(1)b|c)" }, "no equal in JavaScript"],
      [{ targetModules: "q_proj" }, 'a name stands in a list: ["q_proj"]'],
    ] as const
  ) {
    const error = await failure(initialize(config, { task }), layerOf(options as Lora.LoraOptions))
    assertEquals(error._tag, "PluginError")
    assertStringIncludes(error.message, message)
  }
})

Deno.test("what matches nothing is told", async () => {
  const { notes } = await made({
    targetModules: ["q_proj", "v_proj"],
    excludeModules: ["lm_head", "layers.0.self_attn.q_proj"],
    rankPattern: { q_proj: 4, "layers.1.self_attn.q_proj": 2, k_proj: 6 },
    alphaPattern: { "layer.0": 3 },
    layersToTransform: [0, 1, 9],
    layersPattern: ["layers", "blocks"],
  })
  assertEquals(notes, [
    'lora/default: excludeModules "lm_head" leaves out no module that targetModules names',
    "lora/default: layersToTransform 9: no module that is named lies there",
    'lora/default: layersPattern "blocks" matches no module that is named',
    'lora/default: rankPattern "layers.1.self_attn.q_proj" counts for no module that is adapted',
    'lora/default: rankPattern "k_proj" counts for no module that is adapted',
    'lora/default: alphaPattern "layer.0" counts for no module that is adapted',
  ])
})

Deno.test("orthogonal: neither factor starts at zero, their product does; the rank must be even", async () => {
  const values = await run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task })
      const found = yield* readParameters(model, model.parameters.filter(({ owner }) => owner !== "base"))
      return found.slice(0, 2).map(({ data, parameter: { shape } }) => ({ data, shape }))
    }),
    layerOf({ r: 4, initLoraWeights: "orthogonal", targetModules: ["up_proj"] }),
  )
  const [a, b] = values
  assertEquals([a.shape, b.shape], [[4, 8], [12, 4]])
  for (const { data } of values) assert(data.every((value) => Math.abs(value) > 1e-7 && Math.abs(value) < 1))
  for (let i = 0; i < 12; i++) {
    for (let j = 0; j < 8; j++) {
      const sum = [0, 1, 2, 3].reduce((sum, k) => sum + b.data[i * 4 + k] * a.data[k * 8 + j], 0)
      assert(Math.abs(sum) < 1e-7, `B A holds ${sum}`)
    }
  }
  const odd = await failure(initialize(config, { task }), layerOf({ r: 3, initLoraWeights: "orthogonal" }))
  assertStringIncludes(odd.message, '"orthogonal" needs an even rank; at "model.layers.0.self_attn.q_proj" it is 3')
})
