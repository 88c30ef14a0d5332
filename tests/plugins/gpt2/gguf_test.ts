import { assert, assertEquals, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JsonError } from "../../../core/formats/json/json_error.ts"
import { ConfigReader } from "../../../core/formats/json/model_config.ts"
import { load, saveGguf } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { Espalier } from "../../../mod.ts"
import { dialect } from "../../../plugins/gpt2/gguf.ts"
import * as Gpt2 from "../../../plugins/gpt2/mod.ts"
import { logitsOff } from "../../support/gguf.ts"
import { fixture, run } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"

Deno.test("a GGUF file gives the logits of the model that it was made of, and so does one from here", async () => {
  const path = fixture("gguf/gpt2.gguf")
  const error = await logitsOff("gpt2", path)
  assert(error < 1e-4, `logits are off by ${error}`)
  await inDirectory(async (directory) => {
    const to = `${directory}/again.gguf`
    await run(Effect.flatMap(load(path, { task: Task.causalLM() }), (model) => saveGguf(model, to, { check: false })))
    const again = await logitsOff("gpt2", to)
    assert(again < 1e-4, `logits are off by ${again}`)
  })
})

Deno.test("a matrix that files hold in blocks stays so, though Hugging Face's files have its axes swapped", async () => {
  const encodings = await inDirectory((directory) =>
    Effect.gen(function* () {
      const model = yield* load(fixture("gguf/gpt2.gguf"), { task: Task.causalLM() })
      yield* saveGguf(model, `${directory}/q8.gguf`, { type: "Q8_0", check: false })
      const { parameters } = yield* load(`${directory}/q8.gguf`, { task: Task.causalLM(), frozen: true })
      return Object.fromEntries(parameters.map(({ key, slot }) => [key, encodingOf(slot.storage).name]))
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Gpt2.layer.pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } }))),
      ),
      Effect.runPromise,
    )
  )
  assertEquals(encodings["transformer.h.0.mlp.c_proj.weight"], "Q8_0")
})

Deno.test("what GGUF has no field for is an error that names the field", () => {
  const config = { model_type: "gpt2", vocab_size: 9, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 8 }
  const write = (own: object) => dialect.metadata(new ConfigReader("config.json", { ...config, ...own }))
  assertEquals(write({}).get("gpt2.feed_forward_length"), { type: "uint32", value: 64 })
  for (
    const own of [
      { activation_function: "relu" },
      { scale_attn_weights: false },
      { scale_attn_by_inverse_layer_idx: true },
    ]
  ) {
    assertThrows(() => write(own), JsonError, Object.keys(own)[0])
  }
})
