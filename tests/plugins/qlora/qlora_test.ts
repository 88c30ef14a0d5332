/**
 * QLoRA: LoRA over a base in few bits, with the paper's defaults; LoftQ's starts.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { load, type Model, saveAdapters } from "../../../core/model/mod.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { alternate } from "../../../plugins/qlora/loftq.ts"
import * as QLora from "../../../plugins/qlora/mod.ts"
import * as Quantization from "../../../plugins/quantization/mod.ts"
import { distance } from "../../support/model_layer.ts"
import { type Base, onWasm, shake, writeModel } from "../../support/on_wasm.ts"
import { computedLogits, inDirectory } from "../files.ts"

const nf4 = Quantization.layer({ blockSize: 32 })
const task = Task.causalLM()
const over = (
  method: Layer.Layer<Lora.Lora, unknown, Base | Quantization.Quantization>,
  quantization: Layer.Layer<Quantization.Quantization, unknown, Base> = nf4,
) => method.pipe(Layer.provideMerge(quantization))

/** The message with which loading fails. */
const refusal = async (directory: string, plugins: Layer.Layer<Lora.Lora, unknown, Base>): Promise<string> => {
  try {
    await onWasm(load(directory, { task }), plugins)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error("It did not fail")
}
const isQuantized = ({ slot }: Model["parameters"][number]) => encodingOf(slot.storage).block > 1
const codes = ({ backend, parameters }: Model) =>
  Effect.forEach(parameters.filter(isQuantized), ({ slot }) => Effect.promise(() => backend.readEncoded(slot)))

Deno.test("its defaults are the paper's; all else is LoRA's, in LoRA's files", () =>
  inDirectory(async (directory) => {
    const [base, saved] = [`${directory}/base`, `${directory}/saved`]
    await writeModel(base)
    const options = await onWasm(
      Effect.flatMap(Effect.service(Lora.Lora), ({ adapters }) => adapters),
      over(QLora.layer({ name: "chat", useRslora: true })),
    )
    const { id, r, loraAlpha, loraDropout, targetModules, useRslora } = options.get("chat")!
    assertEquals([id, r, loraAlpha, loraDropout, targetModules, useRslora], [
      "lora/chat",
      64,
      16,
      0.1,
      "all-linear",
      true,
    ])
    assertEquals(QLora.paperSettings(7e9).method.loraDropout, 0.1)
    assertEquals(QLora.paperSettings(6.5e10).method.loraDropout, 0.05)
    assertEquals(QLora.paperSettings(3.3e10).training.learningRate, 1e-4)
    const wanted = await onWasm(
      Effect.gen(function* () {
        const model = yield* load(base, { task })
        assertEquals(model.parameters.filter(isQuantized).length, 14)
        assertEquals(model.parameters.filter(({ name }) => name === "lora_A").length, 14)
        yield* shake(model, 0.05)
        yield* saveAdapters(model, saved)
        return yield* computedLogits(model)
      }),
      over(QLora.layer({ r: 4 })),
    )
    const read = (from: Layer.Layer<Lora.Lora, unknown, Base>) =>
      onWasm(Effect.flatMap(load(base, { task }), computedLogits), from)
    assertEquals(await read(over(QLora.fromPeft(saved))), wanted)
    assertEquals(await read(Lora.fromPeft(saved).pipe(Layer.provideMerge(nf4))), wanted)
    assert(distance(await read(Lora.fromPeft(saved)), wanted) > 1e-4)
  }))

Deno.test("options that make no sense together are refused", () =>
  inDirectory(async (directory) => {
    await writeModel(directory)
    const given = (options: object, quantization?: Layer.Layer<Quantization.Quantization, unknown, Base>) =>
      refusal(directory, over(QLora.layer(options), quantization))
    assertStringIncludes(await given({ loftqIterations: 3 }), 'initLoraWeights must be "loftq" with loftqIterations')
    assertStringIncludes(await given({ initLoraWeights: "loftq", useDora: true }), "useDora must be false")
    assertStringIncludes(await given({ initLoraWeights: "loft" }), '"loftq"')
    assertStringIncludes(
      await given({ initLoraWeights: "loftq" }),
      '"loftq" takes 64 directions of "model.layers.0.self_attn.k_proj", which is [32, 64]; lower the rank',
    )
    const heads = Quantization.layer({ blockSize: 32, targetModules: ["embed_tokens"] })
    assertStringIncludes(await given({ initLoraWeights: "loftq", r: 4 }, heads), "none of its modules is quantized")
  }))

Deno.test("LoftQ: what codes and factors are together comes nearer to the weights, round by round", () => {
  const [rows, columns] = [48, 64], rng = makeRng(1)
  const weight = Float32Array.from({ length: rows * columns }, () => rng.normal())
  const { encode, decode, settle, blockBytes, block } = Quantization.nf4({ blockSize: 32, doubleQuantization: true })
  const rounded = (data: Float32Array) => {
    const bytes = new Uint8Array(data.length / block * blockBytes), out = new Float32Array(data.length)
    encode!(data, bytes)
    settle?.(bytes)
    decode.reference(bytes, out)
    return out
  }
  const errorOf = (iterations: number, scale: number) => {
    const { a, b, held, base } = alternate(weight, [rows, columns], rounded, { r: 8, scale, iterations })
    assertEquals(held, rounded(base))
    return Math.hypot(...weight.map((w, i) => {
      const row = Math.floor(i / columns)
      let sum = held[i]
      for (let k = 0; k < 8; k++) sum += scale * b[row * 8 + k] * a[k * columns + i % columns]
      return w - sum
    }))
  }
  const plain = Math.hypot(...rounded(weight).map((held, i) => weight[i] - held))
  const errors = [1, 2, 5].map((iterations) => errorOf(iterations, 0.25))
  assert(errors[0] < 0.9 * plain && errors[1] < errors[0] && errors[2] < errors[1], `${plain}, ${errors}`)
  // PEFT leaves the scale out, so that the model begins elsewhere where it is not 1.
  for (const scale of [1, -2]) assert(Math.abs(errorOf(1, scale) - errors[0]) < 1e-5 * plain)
})

Deno.test("a model that LoftQ started is nearer to the one in f32; its adapter is for the base that it names", () =>
  inDirectory(async (directory) => {
    const base = `${directory}/base`
    await writeModel(base)
    const exact = await onWasm(Effect.flatMap(load(base, { task }), computedLogits))
    const started = (options: QLora.QLoraOptions, saved?: string) =>
      onWasm(
        Effect.gen(function* () {
          const model = yield* load(base, { task })
          if (saved !== undefined) {
            yield* saveAdapters(model, saved)
          }
          return [yield* computedLogits(model), yield* codes(model), model.notes] as const
        }),
        over(QLora.layer({ r: 8, loraAlpha: 4, ...options })),
      )
    const [plain, plainCodes] = await started({})
    const [once, onceCodes] = await started({ initLoraWeights: "loftq" }, `${directory}/1`)
    const [often, oftenCodes] = await started({ initLoraWeights: "loftq", loftqIterations: 3 }, `${directory}/3`)
    const [first, second, third] = [plain, once, often].map((logits) => distance(logits, exact))
    assert(second < 0.95 * first && third < first, `${first}, ${second}, ${third}`)
    // After one round the base is the quantized one, and the adapter a plain one for it.
    assertEquals(onceCodes, plainCodes)
    assert(oftenCodes.some((bytes, i) => bytes.some((byte, j) => byte !== plainCodes[i][j])))
    const configOf = async (name: string) =>
      JSON.parse(await Deno.readTextFile(`${directory}/${name}/adapter_config.json`))
    const [one, three] = [await configOf("1"), await configOf("3")]
    assertEquals([one.init_lora_weights, one.loftq_base], [true, { iterations: 1, encoding: "nf4_32_double" }])
    // PEFT refuses "loftq" without a loftq_config.
    assertEquals([three.init_lora_weights, three.loftq_config], ["loftq", undefined])
    assertEquals(three.loftq_base.sha256.length, 64)

    const read = (plugins: Layer.Layer<Lora.Lora, unknown, Base>) =>
      onWasm(
        Effect.gen(function* () {
          const model = yield* load(base, { task })
          return [yield* computedLogits(model), yield* codes(model), model.notes] as const
        }),
        plugins,
      )
    for (const [name, logits, held] of [["1", once, onceCodes], ["3", often, oftenCodes]] as const) {
      const [again, codes] = await read(over(QLora.fromPeft(`${directory}/${name}`)))
      assertEquals(again, logits)
      assertEquals(codes, held)
    }
    assertStringIncludes(
      (await read(Lora.fromPeft(`${directory}/1`)))[2].join(),
      "it started by LoftQ from a base in nf4_32_double",
    )
    assertStringIncludes(
      await refusal(base, Lora.fromPeft(`${directory}/3`)),
      "it counts from a base that LoftQ changed: load it with QLora.fromPeft",
    )
    for (
      const quantization of [
        Quantization.layer({ format: "grouped" }),
        Quantization.layer({ blockSize: 32, doubleQuantization: false }),
      ]
    ) {
      assertStringIncludes(
        await refusal(base, over(QLora.fromPeft(`${directory}/3`), quantization)),
        "its files count from a base in nf4_32_double that LoftQ made in 3 rounds, and this one is another",
      )
    }
    const other = `${directory}/other`
    await writeModel(other, { initializer_range: 0.19 })
    assertStringIncludes(await refusal(other, over(QLora.fromPeft(`${directory}/3`))), "and this one is another")
  }))
