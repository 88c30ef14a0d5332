import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Model, type PluginError, type Plugins, Task } from "@espalier/espalier"
import type { BlockEncoding } from "@espalier/espalier/kernels"
import * as Lora from "@espalier/espalier/lora"
import * as Quantization from "@espalier/espalier/quantization"
import { failureOf, run, withModel } from "./support.ts"

const says = (message: string, wanted: RegExp) => assert(wanted.test(message), message)

const load = (directory: string) => Model.load(directory, { task: Task.causalLM() })

/** A loaded model's weights by key, with what keeps them. */
const weightsOf = (model: Model.Model) =>
  Effect.promise(async () => {
    const all = new Map<
      string,
      { readonly storage: string; readonly data: Float32Array; readonly trainable: boolean }
    >()
    for (const { key, slot, owner, trainable } of model.parameters) {
      if (owner !== "base") continue
      const storage = typeof slot.storage === "object" ? slot.storage.name : slot.storage ?? "f32"
      all.set(key, { storage, trainable, data: await model.backend.read(slot) as Float32Array })
    }
    return all
  })

const plain = (directory: string) => run(Effect.flatMap(load(directory), weightsOf), Lora.layer({ r: 2 }))

/** Weights as an encoding gives them back, in one piece. */
const rounded = (encoding: BlockEncoding, data: Float32Array) => {
  const bytes = new Uint8Array(data.length / encoding.block * encoding.blockBytes), back = new Float32Array(data.length)
  encoding.encode!(data, bytes)
  encoding.settle?.(bytes)
  encoding.decode.reference(bytes, back)
  return back
}

const FORMATS = [
  [{}, Quantization.nf4()],
  [{ doubleQuantization: false, blockSize: 32 }, Quantization.nf4({ doubleQuantization: false, blockSize: 32 })],
  [{ format: "grouped", bits: 3, groupSize: 64 }, Quantization.grouped({ bits: 3, groupSize: 64 })],
  [{ format: "q4_1" }, Quantization.Q4_1],
  [{ format: Quantization.Q8_0 }, Quantization.Q8_0],
] as const

Deno.test("linear weights are quantized while they are loaded, and the error of each is told", async () => {
  await withModel(async (directory) => {
    const exact = await plain(directory)
    for (const [options, encoding] of FORMATS) {
      await run(
        Effect.gen(function* () {
          const model = yield* load(directory)
          const weights = yield* weightsOf(model)
          const linear = [...weights.keys()].filter((key) => /_proj\.weight$/.test(key))
          assertEquals(linear.length, 14)
          assertEquals(model.encoded.map(({ key }) => key).toSorted(), linear.toSorted())
          for (const [key, { storage, data, trainable }] of weights) {
            assert(!trainable, `${key} trains`)
            assertEquals(storage, linear.includes(key) ? encoding.name : "f32", key)
            const { data: before } = exact.get(key)!
            assertEquals(data, linear.includes(key) ? rounded(encoding, before) : before, key)
          }
          for (const { key, bits, elements, meanAbsoluteError, relativeError } of model.encoded) {
            const before = exact.get(key)!.data, after = weights.get(key)!.data
            const off = after.map((value, i) => value - before[i])
            const length = (values: Float32Array) => Math.hypot(...values)
            assertEquals([elements, bits], [before.length, 8 * encoding.blockBytes / encoding.block])
            assert(Math.abs(relativeError - length(off) / length(before)) < 1e-6)
            assert(Math.abs(meanAbsoluteError - off.reduce((sum, x) => sum + Math.abs(x), 0) / off.length) < 1e-6)
            assert(relativeError > 0 && relativeError < 0.3)
          }
          assertEquals(model.notes.filter((note) => note.includes(encoding.name)).length, 1)
        }),
        Quantization.layer(options),
      )
    }
  })
})

Deno.test("modules are chosen by name; several instances are for other modules each", async () => {
  await withModel(async (directory) => {
    const layers = Layer.mergeAll(
      Quantization.layer({ name: "attention", targetModules: ["q_proj", "embed_tokens"], format: "q8_0" }),
      Quantization.layer({ name: "rest", targetModules: ".*mlp.*_proj", excludeModules: ["down_proj"] }),
    )
    const weights = await run(Effect.flatMap(load(directory), weightsOf), layers)
    for (const [key, { storage }] of weights) {
      const want = /q_proj|embed_tokens/.test(key) ? "Q8_0" : /gate_proj|up_proj/.test(key) ? "nf4_64_double" : "f32"
      assertEquals(storage, want, key)
    }
  })
})

Deno.test("what cannot be quantized is an error that names it", async () => {
  await withModel(async (directory) => {
    const fails = <P>(plugins: Layer.Layer<P, PluginError, Plugins.Plugins>) => failureOf(load(directory), plugins)
    says(
      await fails(Quantization.layer({ format: "grouped", groupSize: 40 })),
      /PluginError: quantization\/default: "model\.layers\.0\.self_attn\.q_proj\.weight" \[64,64\] .* rows of 64 .* blocks of 40/,
    )
    says(
      await fails(Layer.mergeAll(Quantization.layer(), Lora.layer({ r: 2, modulesToSave: ["v_proj"] }))),
      /PluginError: .*v_proj\.weight" trains, so it cannot be kept in nf4_64_double/,
    )
    says(
      await fails(Layer.mergeAll(Quantization.layer(), Quantization.layer({ name: "b", format: "q8_0" }))),
      /PluginError: quantization\/default: .*q_proj\.weight" is to be kept in nf4_64_double, and in Q8_0 by quantization\/b/,
    )
    says(await fails(Quantization.layer({ targetModules: ["q_prj"] })), /no module matches \["q_prj"\]/)
    says(await fails(Quantization.layer({ targetModules: ["input_layernorm"] })), /\(Norm\) has no matrix/)
  })
})

Deno.test("options that make no sense are refused before any work", async () => {
  const fails = (options: object) => failureOf(Effect.void, Quantization.layer(options))
  says(await fails({ format: "nf5" }), /format must be "nf4", "grouped", .*got "nf5"/)
  says(await fails({ format: "grouped", bits: 5 }), /bits must be 2, 3, 4 or 8, got 5/)
  says(await fails({ format: "grouped", groupSize: 20 }), /groupSize must be a multiple of 8, got 20/)
  says(await fails({ blockSize: 100 }), /blockSize must be 32, .* or 4096, got 100/)
  says(await fails({ groupSize: 32 }), /format must be "grouped" where groupSize is given, got "nf4"/)
  says(
    await fails({ format: "q4_1", doubleQuantization: true }),
    /"nf4" where doubleQuantization is given, got "q4_1"/,
  )
  says(await fails({ format: "stored", targetModules: ["q_proj"] }), /format must be another than stored where modules/)
  says(await fails({ target: "x" }), /unknown option "target"/)
})
