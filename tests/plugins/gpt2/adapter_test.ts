import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import { load, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { openTensors } from "../../../plugins/peft_format/tensors.ts"
import { inDirectory } from "../files.ts"
import { type Base, fixture, run } from "../../support/model_layer.ts"

Deno.test("gpt2: an adapter of the fused projection has PEFT's names and shapes, and says that the base is transposed", async () => {
  await inDirectory(async (saved) => {
    const adapted = (options: Lora.LoraOptions) =>
      run(
        Effect.gen(function* () {
          const model = yield* load(fixture("gpt2/plain"), { task: Task.causalLM() })
          yield* saveAdapters(model, saved)
        }),
        Lora.layer({ r: 2, initLoraWeights: false, ...options }) as unknown as Layer.Layer<never, PluginError, Base>,
      )
    const config = () => JSON.parse(Deno.readTextFileSync(`${saved}/adapter_config.json`))
    await adapted({})
    assertEquals([config().fan_in_fan_out, config().target_modules], [true, ["c_attn"]])
    const { shapes } = openTensors(Deno.readFileSync(`${saved}/adapter_model.safetensors`), "adapter_model.safetensors")
    const names = [0, 1].flatMap((i) => {
      const path = `base_model.model.transformer.h.${i}.attn.c_attn`
      return [[`${path}.lora_A.weight`, [2, 16]], [`${path}.lora_B.weight`, [48, 2]]] as const
    })
    assertEquals(Object.fromEntries(shapes), Object.fromEntries(names))
    await Deno.remove(saved, { recursive: true })
    await Deno.mkdir(saved)
    // What files hold upright.
    await adapted({ targetModules: ["wte"] })
    assert(config().fan_in_fan_out === false)
  })
})
