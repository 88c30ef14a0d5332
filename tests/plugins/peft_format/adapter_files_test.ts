/**
 * Files of adapters as they are found: names of tensors, reasons of errors, fields of configs.
 * @module
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize, load, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { decodeLoraConfig, decodePromptConfig, encodeTensors } from "../../../plugins/peft_format/mod.ts"
import { peftName } from "../../../plugins/peft_format/lora/stored_names.ts"
import { PeftError } from "../../../plugins/peft_names/mod.ts"
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import type { FileTensor } from "../../../plugins/peft_format/tensors.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

const read = (more: Record<string, unknown>) =>
  decodeLoraConfig(JSON.stringify({ peft_type: "LORA", ...more }), "f.json")

Deno.test("names lose wrappers and the adapter's own name", () => {
  const q = "base_model.model.model.layers.0.self_attn.q_proj"
  const cases: ReadonlyArray<readonly [string, string | undefined]> = [
    [`${q}.lora_A.weight`, `${q}.lora_A.weight`],
    [`${q}.lora_A.default.weight`, `${q}.lora_A.weight`],
    [`${q}.lora_B.my-own.bias`, `${q}.lora_B.bias`],
    [`${q}.lora_magnitude_vector.default.weight`, `${q}.lora_magnitude_vector`],
    [`${q}.lora_magnitude_vector.weight`, `${q}.lora_magnitude_vector`],
    [`${q}.lora_magnitude_vector`, `${q}.lora_magnitude_vector`],
    ["model.embed_tokens.lora_embedding_A.default", "base_model.model.model.embed_tokens.lora_embedding_A"],
    [`module._orig_mod.${q}.lora_A.weight`, `${q}.lora_A.weight`],
    [`base_model.model.${q}.lora_A.weight`, `${q}.lora_A.weight`],
    ["base_model.model._fsdp_wrapped_module.score.modules_to_save.default.weight", "base_model.model.score.weight"],
    ["base_model.model.score.original_module.weight", undefined],
  ]
  for (const [stored, name] of cases) assertEquals(peftName(stored), name, stored)
})

Deno.test("a config's fields: those that say nothing, those that are new, those that are over, those that matter", () => {
  const idle = { loftq_config: {}, fan_in_fan_out: true, megatron_core: "m", eva_config: { rho: 2 }, lora_bias: false }
  assertEquals(read({ ...idle, trainable_token_indices: null, alora_invocation_tokens: null, r: 4 }).notes, undefined)
  assertEquals(read({ later: { x: 1 }, later_off: false, later_empty: [] }).notes, [
    'f.json: the field later {"x":1} is not known here and is left alone',
  ])
  for (const init of ["eva", "mica", "lora_ga"]) assertEquals(read({ init_lora_weights: init }).initLoraWeights, true)
  assertEquals(read({ init_lora_weights: "Gaussian" }).initLoraWeights, "gaussian")
  assertEquals(read({ init_lora_weights: "orthogonal" }).initLoraWeights, "orthogonal")
  assertEquals(read({ exclude_modules: [], layers_pattern: "", lora_alpha: 0 }).loraAlpha, 0)
  assertEquals(read({ task_type: "FEATURE_EXTRACTION" }).taskType, "FEATURE_EXTRACTION")
  assertThrows(() => read({ trainable_token_indices: { embed_tokens: [3] } }), PeftError, "trainable_token_indices")
  assertThrows(() => read({ target_parameters: ["experts.up"] }), PeftError, "target_parameters")
  assertThrows(() => read({ peft_type: "VERA" }), PeftError, 'peft_type is "VERA", not LORA; load it with the plugin')
  const hub = () => decodeLoraConfig('{"config": {}, "model_class": "BertModel"}', "f.json")
  assertThrows(hub, PeftError, "AdapterHub")
})

Deno.test("a prompt's config: what is new is noted, a slip is an error", () => {
  const prompt = (more: Record<string, unknown>) =>
    decodePromptConfig(
      JSON.stringify({ peft_type: "PROMPT_TUNING", num_virtual_tokens: 2, ...more }),
      "f.json",
      ["PROMPT_TUNING"],
    )
  assertEquals(prompt({ task_type: "FEATURE_EXTRACTION", peft_version: "0.21.2" }).notes, undefined)
  assertEquals(prompt({ prompt_dialect: "new", warm: null }).notes, [
    'f.json: the field prompt_dialect "new" is not known here and is left alone',
  ])
  assertThrows(() => prompt({ prompt_tuning_int: "RANDOM" }), PeftError, 'nearest known one is "prompt_tuning_init"')
})

/** An adapter of a tiny Llama with other tensors or fields, and the error that it gives. */
async function wrong(
  change: (tensors: Map<string, FileTensor>) => void,
  fields: Record<string, unknown> = {},
  task: Task = Task.causalLM(),
): Promise<string> {
  const directory = await Deno.makeTempDir()
  try {
    const from = fixture("lora/kinds/layers")
    const file = `${from}/adapter_model.safetensors`
    const tensors = new Map(decodeAllTensors(Deno.readFileSync(file), file))
    change(tensors)
    const config = JSON.parse(Deno.readTextFileSync(`${from}/adapter_config.json`))
    const text = JSON.stringify({ ...config, base_model_name_or_path: "some/base", ...fields })
    Deno.writeTextFileSync(`${directory}/adapter_config.json`, text)
    Deno.writeFileSync(`${directory}/adapter_model.safetensors`, encodeTensors(tensors))
    const error = await failure(
      load(fixture("llama/llama"), { task }),
      Lora.fromPeft(directory) as never,
    )
    return error.message
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}
const PREFIX = "base_model.model.model.layers"
const filled = (...shape: number[]): FileTensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5),
})

Deno.test("tensors that do not fit: the error says why", async () => {
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.1.self_attn.q_proj.lora_A.weight`, filled(2, 4096))),
    'likely: it was made for another base model: its config names "some/base"',
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.1.self_attn.q_proj.lora_A.weight`, filled(3, 16))),
    "likely: r and rank_pattern of its config are not those",
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.31.self_attn.q_proj.lora_A.weight`, filled(2, 16))),
    "of 32 layers at least; here are 2",
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.0.self_attn.k_proj.lora_A.weight`, filled(2, 16))),
    'its config does not adapt "model.layers.0.self_attn.k_proj"',
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.0.mlp.up_proj.weight`, filled(24, 16))),
    'modules_to_save of its config does not name "model.layers.0.mlp.up_proj"',
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.1.self_attn.q_proj.lora_B.bias`, filled(16))),
    "likely: lora_bias trained a bias",
  )
  assertStringIncludes(
    await wrong((tensors) =>
      tensors.set("base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", filled(2, 16))
    ),
    "likely: trainable_token_indices trained single rows",
  )
  assertStringIncludes(
    await wrong((tensors) => tensors.set(`${PREFIX}.1.self_attn.q_proj.lora_A.other.weight`, filled(2, 16))),
    "it holds several adapters",
  )
  assertStringIncludes(await wrong((tensors) => tensors.clear()), "likely: the file holds no tensors")
  assertStringIncludes(
    await wrong((tensors) => tensors.set("base_model.model.model.embed_tokens.weight", filled(40, 16)), {
      modules_to_save: ["embed_tokens"],
    }),
    'no "lm_head.weight" of as many: save the adapter with save_embedding_layers=True',
  )
})

Deno.test("what stands in the stead of an adapter's files is said", async () => {
  const directory = await Deno.makeTempDir()
  const config = { model_type: "llama", vocab_size: 8, hidden_size: 8, num_hidden_layers: 1 }
  const attempt = async () =>
    (await failure(
      Effect.provide(Effect.asVoid(initialize(config, { task: Task.causalLM() })), Lora.fromPeft(directory)) as never,
    )).message
  try {
    Deno.writeTextFileSync(`${directory}/config.json`, "{}")
    assertStringIncludes(await attempt(), "adapter_config.json: is not there: the directory holds a model")
    Deno.copyFileSync(fixture("lora/kinds/layers/adapter_config.json"), `${directory}/adapter_config.json`)
    assert(!(await attempt()).includes("Convert"))
    Deno.writeTextFileSync(`${directory}/adapter_model.bin`, "x")
    const message = await attempt()
    for (const part of ["adapter_model.bin is", "Convert it: python -c", "weights_only=True"]) {
      assertStringIncludes(message, part)
    }
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("what an adapter lacks of a new head starts anew, and is told", async () => {
  const notes = await run(
    Effect.map(load(fixture("bert/backbone"), { task: Task.maskedLM() }), ({ notes }) => notes),
    Lora.fromPeft(fixture("lora/kinds/bare_grown")) as never,
  )
  assertStringIncludes(notes.join("\n"), "new and trained: cls.predictions.transform.dense.weight")
  // A classifier's too, where the adapter was not made for a task; else it would be another function.
  const task = Task.classification(["a", "b"])
  const classifier = await run(
    Effect.map(load(fixture("bert/backbone"), { task }), ({ notes }) => notes),
    Lora.fromPeft(fixture("lora/kinds/bare_grown")) as never,
  )
  assertStringIncludes(classifier.join("\n"), "new and trained: classifier.weight")
  const message = await wrong(() => {}, { task_type: "SEQ_CLS" }, task)
  assertStringIncludes(message, "missing: base_model.model.score.weight")
  assertStringIncludes(message, 'likely: it was saved without the head "score"')
})

Deno.test("the tokenizer of a vocabulary that grew comes with the adapter, and goes with it", async () => {
  const directory = await Deno.makeTempDir()
  try {
    for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
      Deno.copyFileSync(fixture(`lora/kinds/grown/${file}`), `${directory}/${file}`)
    }
    Deno.writeTextFileSync(`${directory}/tokenizer.json`, "{}")
    await run(
      Effect.gen(function* () {
        const model = yield* load(fixture("llama/llama"), { task: Task.causalLM() })
        assertEquals([model.companions, model.network.vocabSize, model.config.vocab_size], [directory, 40, 40])
        assertStringIncludes(model.notes.join("\n"), `the tokenizer is taken from "${directory}"`)
        yield* saveAdapters(model, `${directory}/again`)
      }),
      Lora.fromPeft(directory) as never,
    )
    assertEquals(Deno.readTextFileSync(`${directory}/again/tokenizer.json`), "{}")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
