import { assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize, loadAdapters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import { failure, run } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

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
const layerOf = (options: unknown) => PromptTuning.layer(options as PromptTuning.PromptTuningOptions)
const MLP = { encoderReparameterizationType: "MLP" }

Deno.test("options that make no sense are errors that quote them", async () => {
  const cases: ReadonlyArray<readonly [unknown, string]> = [
    [{ numVirtualTokens: 0 }, "numVirtualTokens must be a whole number from 1, got 0"],
    [{ numVirtualTokens: -2 }, "got -2"],
    [{ ...MLP, encoderHiddenSize: -1 }, "encoderHiddenSize must be a whole number from 1, got -1"],
    [{ encoderHiddenSize: 4 }, 'encoderReparameterizationType must be "MLP" where encoderHiddenSize is given'],
    [{ encoderReparameterizationType: "LSTM" }, 'encoderReparameterizationType must be "MLP", got "LSTM"'],
    [{ ...MLP, encoderNumLayers: 3 }, "encoderNumLayers must be 2, got 3"],
    [{ ...MLP, promptTuningInit: "SAMPLE_VOCAB" }, "what a network gives cannot be chosen"],
    [{ promptTuningInit: "VOCAB" }, '"VOCAB"'],
    [{ promptTuningInit: "TEXT" }, "promptTuningInitText must be given"],
    [{ promptTuningInit: "RANDOM", promptTuningInitText: [1] }, "promptTuningInitText must be given"],
    [{ promptTuningInitText: [] }, "has no tokens"],
    [{ promptTuningInitText: [-1] }, "has the token -1"],
    [{ promptTuningInitText: "a text" }, "has no tokenizer"],
    [{ initText: "a text" }, 'unknown option "initText"; the nearest known one is'],
    [{ numVirtualTokens: 32 }, "prefixes of 32 places leave no room in the model's 32 positions"],
  ]
  for (const [options, text] of cases) {
    const error = await failure(initialize(config, { task }), layerOf(options))
    assertEquals(error._tag, "PluginError", text)
    assertStringIncludes(error.message, text)
  }
})

Deno.test("files of another model, shape or method are errors", async () => {
  await inDirectory(async (directory) => {
    const saved = `${directory}/saved`
    await run(
      Effect.flatMap(initialize(config, { task }), (model) => saveAdapters(model, saved)),
      layerOf({ numVirtualTokens: 3 }),
    )
    const attempt = async (options: unknown, change: Record<string, unknown> = {}) => {
      const wanted = initialize({ ...config, ...change }, { task })
      const error = await failure(Effect.flatMap(wanted, (model) => loadAdapters(model, saved)), layerOf(options))
      return `${error._tag} ${error.message}`
    }
    const three = { numVirtualTokens: 3 }
    assertStringIncludes(await attempt({ numVirtualTokens: 4 }), "numVirtualTokens is 3; prompt_tuning/default and")
    assertStringIncludes(await attempt(three, { hidden_size: 16 }), "tokenDim is 8")
    assertStringIncludes(await attempt(three, { num_hidden_layers: 1 }), "numLayers is 2")
    assertStringIncludes(await attempt({ ...three, ...MLP }), 'peft_type is "PROMPT_TUNING", not P_TUNING')
    const file = `${saved}/adapter_config.json`
    const record = JSON.parse(Deno.readTextFileSync(file))
    const read = async (change: Record<string, unknown>) => {
      Deno.writeTextFileSync(file, JSON.stringify({ ...record, ...change }))
      const error = await failure(initialize(config, { task }), PromptTuning.fromPeft(saved) as never)
      return `${error._tag} ${error.message}`
    }
    assertStringIncludes(await read({ peft_type: "PREFIX_TUNING" }), '"PREFIX_TUNING", not PROMPT_TUNING or P_TUNING')
    assertStringIncludes(
      await read({ prompt_tuning_int: "TEXT" }),
      'unknown field "prompt_tuning_int"; the nearest known one is "prompt_tuning_init"',
    )
    assertStringIncludes(
      await read({ num_virtual_tokens: 4 }),
      "wrongly shaped: prompt_embeddings [3,8] instead of [4,8]",
    )
    assertStringIncludes(await read({ prompt_tuning_init: "X" }), "prompt_tuning_init must be one of")
  })
})
