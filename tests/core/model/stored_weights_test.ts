import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { Task } from "../../../core/tasks/builtin.ts"
import { distance } from "../../support/model_layer.ts"
import { loaded, refused, type Tensors, tensorsOf } from "./stored.ts"

const task = Task.causalLM()
const masked = Task.maskedLM()
const named = (change: (name: string) => string) => ({
  tensors: (tensors: Tensors) => new Map([...tensors].map(([name, tensor]) => [change(name), tensor])),
})

Deno.test("what compiling, sharding and adapting leave in names is taken off and told; the logits stay", async () => {
  for (const [name, own] of [["llama/llama", task], ["bert/masked", masked]] as const) {
    const plain = await loaded(name, { task: own })
    assertEquals(plain.notes, [])
    const wraps: ReadonlyArray<readonly [string, (name: string) => string]> = [
      ["_orig_mod.", (key) => `_orig_mod.${key}`],
      ["_orig_mod.", (key) => key.replace(/(layers?\.\d+)\./, "$1._orig_mod.")],
      ["module.", (key) => `module.${key}`],
      ["_orig_mod. and module.", (key) => `_orig_mod.module.${key}`],
      ["_orig_mod. and module.", (key) => `module._orig_mod.${key}`],
      ["base_model.model.", (key) => `base_model.model.${key}`],
      [
        "_fsdp_wrapped_module.",
        (key) => key.replace(/(layers?\.\d+)\./, "_fsdp_wrapped_module.$1._fsdp_wrapped_module."),
      ],
    ]
    for (const [mark, wrap] of wraps) {
      const { logits, notes } = await loaded(name, { task: own }, named(wrap))
      assertEquals(distance(logits, plain.logits), 0, mark)
      assertEquals(notes, [`the names in the files carry ${mark}, which a wrapper left: read without it`])
    }
  }
})

Deno.test("wrappers that are not certain stay an error: before some names alone, or where two names become one", async () => {
  const some = named((key) => key.includes("layers.0") ? `module.${key}` : key)
  assertStringIncludes(await refused("llama/mistral", { task }, some), "module.model.layers.0")
  const twice = {
    tensors: (all: Tensors) => new Map([...all, ...[...all].map(([k, t]) => [`_orig_mod.${k}`, t] as const)]),
  }
  assertStringIncludes(await refused("llama/mistral", { task }, twice), "unexpected")
  const inside = named((key) => key.replace("q_proj.", "q_proj.base_layer."))
  assertStringIncludes(
    await refused("llama/mistral", { task }, inside),
    "an adapter lies within these weights (model.layers.0.self_attn.q_proj.base_layer.weight): merge it",
  )
})

Deno.test("a bare backbone of a decoder loads, as in transformers, with a head that starts anew", async () => {
  const bare = {
    tensors: (all: Tensors) =>
      new Map([...all].filter(([key]) => key !== "score.weight").map(([key, t]) => [key.replace(/^model\./, ""), t])),
  }
  const labels = Task.classification(["a", "b", "c"])
  assertEquals((await loaded("llama/qwen2", { task: labels }, bare)).notes, [
    "not in the files, so new and trained: score.weight",
  ])
  const tied = await loaded("llama/llama", { task }, named((key) => key.replace(/^model\./, "")))
  assertEquals(distance(tied.logits, (await loaded("llama/llama", { task })).logits), 0)
})

Deno.test("a tied weight that differs at its other place is told, and both count, as in transformers 5.24.0", async () => {
  const plain = await loaded("llama/llama", { task })
  const head = (scale: number) => ({
    tensors: (all: Tensors) => {
      const { shape, data } = all.get("model.embed_tokens.weight")!
      all.set("lm_head.weight", { shape, data: data.map((x) => x * scale) })
    },
  })
  const same = await loaded("llama/llama", { task }, head(1))
  assertEquals([distance(same.logits, plain.logits), same.notes], [0, []])
  const other = await loaded("llama/llama", { task }, head(2), (model) => {
    assertEquals(model.config.tie_word_embeddings, false)
    assert(model.parameters.some(({ key }) => key === "lm_head.weight"))
  })
  assert(distance(other.logits, Array.from(plain.logits, (x) => 2 * x)) < 1e-5)
  assertEquals(other.notes.length, 1)
  assertStringIncludes(other.notes[0], "lm_head.weight in the files differs from model.embed_tokens.weight")

  // BERT's bias lies at two places; 5.24.0 adds the decoder's own where they differ.
  const bias = await loaded("bert/masked", { task: masked }, {
    tensors: (all) => {
      const { shape, data } = all.get("cls.predictions.bias")!
      all.set("cls.predictions.decoder.bias", { shape, data: data.map((x) => x + 1) })
    },
  })
  const before = await loaded("bert/masked", { task: masked })
  assert(distance(bias.logits, Array.from(before.logits, (x) => x + 1)) < 1e-5)
  assertStringIncludes(bias.notes.join(), "cls.predictions.decoder.bias in the files differs from cls.predictions.bias")
})

Deno.test("a tied weight that lies at its other place alone is taken there; without a tie its lack has a reason", async () => {
  const moved = named((key) => key === "model.embed_tokens.weight" ? "lm_head.weight" : key)
  const { logits } = await loaded("llama/llama", { task }, moved)
  assertEquals(distance(logits, (await loaded("llama/llama", { task })).logits), 0)
  const untied = await refused("llama/llama", { task }, { config: { tie_word_embeddings: false } })
  assertStringIncludes(untied, "the file lacks the output head")
})

Deno.test("stale buffers are passed over; frequencies that are not the config's are told", async () => {
  const { data } = (await tensorsOf("llama/mistral")).get("model.norm.weight")!
  const frequencies = [0, 1, 2].map((i) => 500 ** (-2 * i / 6))
  const own = (values: ReadonlyArray<number>) => ({
    tensors: (all: Tensors) => {
      all.set("model.layers.0.self_attn.rotary_emb.inv_freq", { shape: [3], data: Float32Array.from(values) })
      all.set("model.layers.1.self_attn.rotary_emb.cos_cached", { shape: [1], data: data.slice(0, 1) })
    },
  })
  const plain = await loaded("llama/mistral", { task })
  const kept = await loaded("llama/mistral", { task }, own(frequencies))
  assertEquals([distance(kept.logits, plain.logits), kept.notes], [0, []])
  const other = await loaded("llama/mistral", { task }, own([1, 0.1, 0.01]))
  assertEquals(distance(other.logits, plain.logits), 0)
  assertStringIncludes(other.notes.join(), "rotary_emb.inv_freq in the files is not what the config gives")
  const bert = await loaded("bert/masked", { task: masked }, {
    tensors: (all) => {
      all.set("bert.embeddings.position_ids", { shape: [1], data: data.slice(0, 1) })
      all.set("bert.embeddings.token_type_ids", { shape: [1], data: data.slice(0, 1) })
    },
  })
  assertEquals(bert.notes, [])
})

Deno.test("quantized weights are told before sizes, by the config or by names and types", async () => {
  const configs: ReadonlyArray<readonly [unknown, string]> = [
    [{ quant_method: "gptq", bits: 4, group_size: 128 }, "gptq, 4 bits"],
    [{ quant_method: "bitsandbytes", load_in_8bit: true }, "bitsandbytes, 8 bits"],
    [{ quant_method: "fp8", weight_block_size: [128, 128] }, "fp8"],
    [{ quant_method: "compressed-tensors", config_groups: { group_0: { weights: { num_bits: 4 } } } }, "4 bits"],
  ]
  for (const [quantization_config, how] of configs) {
    const message = await refused("llama/mistral", { task }, { config: { quantization_config } })
    assertStringIncludes(message, `"m": its weights are quantized (config.json has quantization_config: `)
    assertStringIncludes(message, how)
    assertStringIncludes(message, "model.dequantize()")
  }
  assertStringIncludes(
    await refused("llama/mistral", { task }, { config: { quantization: { group_size: 64, bits: 4 } } }),
    "config.json has quantization: 4 bits",
  )
  const packed = {
    tensors: (all: Tensors) => {
      all.set("model.layers.0.mlp.up_proj.qweight", { shape: [2, 2], data: new Float32Array(4) })
      all.delete("model.layers.0.mlp.up_proj.weight")
    },
  }
  assertStringIncludes(
    await refused("llama/mistral", { task }, packed),
    "config.json does not say how, but the file holds model.layers.0.mlp.up_proj.qweight (F32)",
  )
  assertEquals((await loaded("llama/mistral", { task }, { config: { quantization_config: null } })).notes, [])
})

Deno.test("a vocabulary that grew, biases and another class are the likely reasons that are given", async () => {
  const small = await refused("llama/llama", { task }, { config: { vocab_size: 30 } })
  assertStringIncludes(small, "the embeddings have 32 rows, vocab_size of config.json is 30 (a vocabulary that grew")
  assertStringIncludes(small, '"vocab_size": 32 is what belongs to this file')
  const untied = await refused("llama/mistral", { task }, { config: { vocab_size: 40 } })
  assertStringIncludes(untied, "vocab_size of config.json is 40 (of another vocabulary)")
  assertStringIncludes(
    await refused("bert/masked", { task: masked }, { config: { vocab_size: 10 } }),
    "vocab_size of config.json is 10",
  )
  const without = await refused("llama/llama", { task }, { config: { mlp_bias: false } })
  assertStringIncludes(without, "the file has biases that config.json does not ask for")
  const wanted = await refused("llama/llama", { task }, {
    tensors: (all) => new Map([...all].filter(([key]) => !key.endsWith("bias"))),
  })
  assertStringIncludes(wanted, "config.json asks for biases that the file does not have")
  const { notes } = await loaded("llama/mistral", { task }, { config: { architectures: ["MixtralForCausalLM"] } })
  assertEquals(notes, ["architectures of the config names MixtralForCausalLM; it is taken as MistralForCausalLM"])
})
