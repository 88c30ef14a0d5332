import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { initialize, load, loadAdapters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
}
const task = Task.causalLM()
const layerOf = (options: unknown) => PrefixTuning.layer(options as PrefixTuning.PrefixTuningOptions)

Deno.test("options that make no sense are errors that quote them", async () => {
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [{ numVirtualTokens: 0 }, "numVirtualTokens must be a whole number from 1, got 0"],
    [{ numVirtualTokens: -2 }, "got -2"],
    [{ numVirtualTokens: 1.5 }, "got 1.5"],
    [{ prefixProjection: true, encoderHiddenSize: 0 }, "encoderHiddenSize must be a whole number from 1, got 0"],
    [{ encoderHiddenSize: 4 }, "prefixProjection must be true where encoderHiddenSize is given"],
    [{ prefixProjection: 1 }, "prefixProjection must be true or false, got 1"],
    [{ initWeights: "ones" }, '"ones"'],
    [{ initWeights: "text" }, "initText must be given"],
    [{ initWeights: "zero", initText: [1] }, "initText must be given"],
    [{ initText: [1], prefixProjection: true }, "what a network gives cannot be chosen"],
    [{ initText: [] }, "has no tokens"],
    [{ initText: [3, 20] }, "has the token 20; the model's go up to 19"],
    [{ initText: "a text" }, "has no tokenizer; give the text's token ids"],
    [{ numVirtualToken: 3 }, 'unknown option "numVirtualToken"; the nearest known one is "numVirtualTokens"'],
    [{ name: "a/b" }, '"a/b"'],
    [{ numVirtualTokens: 32 }, "prefixes of 32 places leave no room in the model's 32 positions"],
  ]
  for (const [options, text] of cases) {
    const error = await failure(initialize(config, { task }), layerOf(options))
    assertEquals(error._tag, "PluginError", text)
    assertStringIncludes(error.message, text)
  }
})

Deno.test("files of another model, shape or method are errors, and nothing is written", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const saved = `${directory}/saved`
    const save = Effect.flatMap(initialize(config, { task }), (model) => saveAdapters(model, saved))
    await run(save, layerOf({ numVirtualTokens: 3 }))
    const attempt = async (options: unknown, change: Record<string, unknown> = {}) => {
      const { num_attention_heads: heads = 2, ...rest } = change
      const wanted = initialize({ ...config, num_attention_heads: heads as number, ...rest }, { task })
      const error = await failure(Effect.flatMap(wanted, (model) => loadAdapters(model, saved)), layerOf(options))
      return `${error._tag} ${error.message}`
    }
    assertStringIncludes(await attempt({ numVirtualTokens: 4 }), "numVirtualTokens is 3; prefix_tuning/default and the")
    const three = { numVirtualTokens: 3 }
    assertStringIncludes(await attempt(three, { num_hidden_layers: 3 }), "numLayers is 2; prefix_tuning/default and")
    assertStringIncludes(await attempt(three, { hidden_size: 16 }), "tokenDim is 8")
    assertStringIncludes(await attempt(three, { num_attention_heads: 4 }), "numAttentionHeads is 2")
    assertStringIncludes(await attempt({ ...three, name: "b" }), "prefix_tuning/b: there is no b/adapter_config.json")

    const file = `${saved}/adapter_config.json`
    const record = JSON.parse(Deno.readTextFileSync(file))
    const read = async (change: Record<string, unknown>) => {
      Deno.writeTextFileSync(file, JSON.stringify({ ...record, ...change }))
      const error = await failure(load(fixture("llama/llama"), { task }), PrefixTuning.fromPeft(saved) as never)
      return `${error._tag} ${error.message}`
    }
    assertStringIncludes(await read({}), "PluginError")
    assertStringIncludes(await read({ peft_type: "LORA" }), `peft_type is "LORA", not PREFIX_TUNING`)
    assertStringIncludes(
      await read({ num_virtual_token: 2 }),
      'unknown field "num_virtual_token"; the nearest known one is "num_virtual_tokens"',
    )
    assertStringIncludes(await read({ num_virtual_tokens: -1 }), "num_virtual_tokens must be a positive integer")
    assertStringIncludes(await read({ num_transformer_submodules: 2 }), "num_transformer_submodules")
    assertStringIncludes(await read({ task_type: "SEQ_2_SEQ_LM" }), "task_type")
    assertStringIncludes(await read({ init_weights: "x" }), "init_weights")
    assertStringIncludes(await read({ token_dim: 4 }), "tokenDim is 4")
    Deno.writeTextFileSync(file, "[")
    const broken = await failure(Effect.void, PrefixTuning.fromPeft(saved) as never)
    assertEquals(broken._tag, "PeftError")
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})

Deno.test("two prefixes of one name are an error", async () => {
  const both = Layer.mergeAll(layerOf({}), layerOf({ numVirtualTokens: 2 }))
  assertStringIncludes((await failure(initialize(config, { task }), both)).message, "prefix_tuning/default")
})
