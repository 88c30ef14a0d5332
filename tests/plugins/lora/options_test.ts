import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { initialize } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type Base, failure, run } from "../../support/model_layer.ts"

const config = {
  model_type: "qwen2",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
}
const layerOf = (options: unknown) => Lora.layer(options as Lora.LoraOptions) as Layer.Layer<Lora.Lora, never, Base>

/** Keys of what trains, and the spread of each. */
const trained = (options: Lora.LoraOptions, task: Task = Task.causalLM()) =>
  run(
    Effect.gen(function* () {
      const model = yield* initialize(config, { task })
      const parameters = model.parameters.filter(({ trainable }) => trainable)
      return parameters.map(({ key, shape, initializer }) => ({
        key: key.replace("lora/default:", ""),
        shape,
        initializer,
      }))
    }),
    layerOf(options),
  )
const keys = async (options: Lora.LoraOptions, task?: Task) =>
  (await trained(options, task)).map(({ key }) => key).filter((key) => !key.endsWith("lora_B"))

Deno.test("options that make no sense are errors that quote them", async () => {
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [{ rank: 16 }, 'unknown option "rank"; the nearest known one is'],
    [{ r: 0 }, "r must be a whole number from 1, got 0"],
    [{ r: 2.5 }, "got 2.5"],
    [{ loraAlpha: NaN }, "loraAlpha must be a number other than 0, got NaN"],
    [{ loraDropout: 1 }, "loraDropout must be a number from 0 and below 1, got 1"],
    [{ loraDropout: -0.1 }, "loraDropout"],
    [{ bias: "some" }, '"some"'],
    [{ initLoraWeights: "eva" }, '"eva"'],
    [{ initLoraWeights: "pissa_niter_0" }, '"pissa_niter_0"'],
    [{ useDora: 1 }, "useDora must be true or false, got 1"],
    [{ loraPlusLrRatio: 0 }, "loraPlusLrRatio must be a number above 0, got 0"],
    [{ initLoraWeights: "pissa", r: 9 }, 'takes 9 directions of "model.layers.0.self_attn.q_proj", which is [8, 8]'],
    [{ initLoraWeights: "olora", targetModules: ["embed_tokens"] }, 'initLoraWeights "olora" is for Linear modules'],
    [{ targetModules: [] }, "targetModules must be"],
    [{ targetModules: "q(" }, "not a regular expression"],
    [{ excludeModules: "q(" }, "not a regular expression"],
    [{ rankPattern: { q_proj: 0 } }, 'rankPattern[\\"q_proj\\"] must be'.replaceAll("\\", "")],
    [{ alphaPattern: { "q(": 1 } }, "regular expression"],
    [{ layersToTransform: -1 }, "layersToTransform"],
    [{ layersToTransform: 1, targetModules: "all-linear" }, "a list where layersToTransform is given"],
    [{ name: "a/b" }, '"a/b"'],
    [{ targetModules: ["query"] }, "q_proj (Linear)"],
    [{ targetModules: ["mlp"] }, '"model.layers.0.mlp" is FeedForward'],
    [{ layersToTransform: 7 }, "excluded"],
    [{ modulesToSave: ["classifier"] }, 'no module matches ["classifier"]'],
  ]
  for (const [options, text] of cases) {
    const error = await failure(initialize(config, { task: Task.causalLM() }), layerOf(options))
    assertEquals(error._tag, "PluginError", text)
    assertStringIncludes(error.message, text)
  }
})

Deno.test("targets: the family's by default, by layer, by list, and without what is excluded", async () => {
  const names = (layers: number[], modules: string[]) =>
    layers.flatMap((i) => modules.map((name) => `model.layers.${i}.${name}.lora_A`))
  assertEquals(await keys({}), names([0, 1, 2], ["self_attn.q_proj", "self_attn.v_proj"]))
  assertEquals(await keys({ layersToTransform: [0, 2] }), names([0, 2], ["self_attn.q_proj", "self_attn.v_proj"]))
  assertEquals(
    await keys({ layersToTransform: 1, layersPattern: "layers" }),
    names([1], ["self_attn.q_proj", "self_attn.v_proj"]),
  )
  assertEquals(
    await keys({ targetModules: ["up_proj", "q_proj"], excludeModules: ".*\\.[01]\\..*" }),
    names([2], ["self_attn.q_proj", "mlp.up_proj"]),
  )
  assertEquals((await keys({ targetModules: "all-linear" })).length, 21)
  assertEquals(await keys({ targetModules: ["embed_tokens"] }), [
    "model.embed_tokens.lora_embedding_A",
    "model.embed_tokens.lora_embedding_B",
  ])
})

Deno.test("names of a list that no module has are noted: a slip, or a list for several families", async () => {
  const notes = (targetModules: ReadonlyArray<string>) =>
    run(
      Effect.map(initialize(config, { task: Task.causalLM() }), ({ notes }) => notes),
      layerOf({ targetModules }),
    )
  const known = await notes(["q_proj", "v_proj"])
  const message = "lora/default: no module is named query or v_prj; the other names count"
  assertEquals(await notes(["q_proj", "query", "v_prj"]), [message, ...known])
})

Deno.test("bias and modulesToSave choose base parameters; a classification head always trains", async () => {
  const base = async (options: Lora.LoraOptions, task?: Task) =>
    (await keys(options, task)).filter((key) => !key.includes("lora_"))
  const biases = (names: string[]) =>
    [0, 1, 2].flatMap((i) => names.map((name) => `model.layers.${i}.self_attn.${name}.bias`))
  assertEquals(await base({ bias: "none" }), [])
  assertEquals(await base({ bias: "lora_only" }), biases(["q_proj", "v_proj"]))
  assertEquals(await base({ bias: "all" }), biases(["q_proj", "k_proj", "v_proj"]))
  assertEquals(await base({ modulesToSave: ["layers.1.mlp", "lm_head"] }), [
    "model.layers.1.mlp.gate_proj.weight",
    "model.layers.1.mlp.up_proj.weight",
    "model.layers.1.mlp.down_proj.weight",
    "lm_head.weight",
  ])
  assertEquals(await base({}, Task.classification(["a", "b"])), ["score.weight"])
  assertEquals(
    (await keys({ targetModules: "all-linear", modulesToSave: ["mlp"] })).filter((key) => key.endsWith("A")).length,
    12,
  )
})

Deno.test("ranks follow patterns, the first that matches counts; initializers are PEFT's", async () => {
  const find = async (options: Lora.LoraOptions, end: string) =>
    (await trained(options)).find(({ key }) => key.endsWith(end))!
  const rankPattern = { "layers.0.self_attn.q_proj": 3, "q_.*": 5 }
  assertEquals((await find({ rankPattern }, "0.self_attn.q_proj.lora_A")).shape, [3, 8])
  assertEquals((await find({ rankPattern }, "1.self_attn.q_proj.lora_B")).shape, [8, 5])
  assertEquals((await find({ rankPattern }, "1.self_attn.v_proj.lora_B")).shape, [8, 8])
  assertEquals((await find({}, "lora_A")).initializer, { kind: "uniform", bound: 1 / Math.sqrt(8) })
  assertEquals((await find({}, "lora_B")).initializer, { kind: "zeros" })
  assertEquals((await find({ r: 4, initLoraWeights: "gaussian" }, "lora_A")).initializer, { kind: "normal", std: 0.25 })
  assertEquals((await find({ r: 4, initLoraWeights: false }, "lora_B")).initializer, { kind: "uniform", bound: 0.5 })
  const embedding = { targetModules: ["embed_tokens"] }
  assertEquals((await find(embedding, "embedding_A")).initializer, { kind: "zeros" })
  assertEquals((await find(embedding, "embedding_B")).initializer, { kind: "normal", std: 1 })
})
