/**
 * Bases that QA-LoRA works over, its options and its files.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { load, loadAdapters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { decodeLoraConfig } from "../../../plugins/peft_format/mod.ts"
import * as QaLora from "../../../plugins/qa_lora/mod.ts"
import * as Quantization from "../../../plugins/quantization/mod.ts"
import { type Base, onWasm, shake, writeModel } from "../../support/on_wasm.ts"
import { computedLogits, inDirectory, shapesIn } from "../files.ts"

const grouped = Quantization.layer({ format: "grouped" })
const task = Task.causalLM()
const over = (
  quantization: Layer.Layer<Quantization.Quantization, unknown, Base>,
  method: Layer.Layer<never, unknown, Base | Quantization.GroupQuantization>,
) => method.pipe(Layer.provideMerge(quantization as typeof grouped)) as Layer.Layer<never, unknown, Base>
const built = <I, E, R>(layer: Layer.Layer<I, E, R>): Layer.Layer<never, E, R> =>
  Layer.effectDiscard(Effect.void).pipe(Layer.provide(layer))

/** The message with which loading fails. */
const refusal = async (directory: string, plugins: Layer.Layer<never, unknown, Base>): Promise<string> => {
  try {
    await onWasm(load(directory, { task }), plugins)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error("It did not fail")
}

Deno.test("bases without offsets, and groups that do not fit, are refused with what would do", () =>
  inDirectory(async (directory) => {
    await writeModel(directory)
    const q = 'qa-lora/default: "model.layers.0.self_attn.q_proj"'
    const told = async (
      quantization: Layer.Layer<Quantization.Quantization, unknown, Base>,
      options: QaLora.QaLoraOptions,
    ) => await refusal(directory, over(quantization, built(QaLora.layer({ r: 4, ...options }))))
    const other = "Load the base in groups with scale and offset (a GGUF file of Q4_1"
    for (
      const [quantization, options, wanted] of [
        [Quantization.layer({ blockSize: 32 }), {}, `${q} is kept in nf4`],
        [Quantization.layer({ blockSize: 32 }), {}, other],
        [Quantization.layer({ format: "grouped", targetModules: ["k_proj"] }), {}, `${q} is not quantized`],
        [Quantization.layer({ format: "grouped", groupSize: 64, targetModules: ["q_proj"] }), {
          targetModules: ["q_proj"],
        }, `${q} is kept in blocks of 64 (grouped`],
        [grouped, { groupSize: 64 }, 'groups of 64 do not divide the 96 inputs of "model.layers.0.mlp.down_proj"'],
        [grouped, { targetModules: ["embed_tokens"] }, 'it adapts Linear modules; "model.embed_tokens" is Embedding'],
      ] as const
    ) assertStringIncludes(await told(quantization, options), wanted)
  }))

Deno.test("options are the paper's, and LoRA's that do not fit are unknown", async () => {
  const resolved = await onWasm(
    Effect.flatMap(Effect.service(QaLora.QaLora), ({ adapters }) => adapters),
    QaLora.layer({ useRslora: true }).pipe(Layer.provideMerge(grouped)),
  )
  const { r, loraAlpha, loraDropout, groupSize, pooling, targetModules, useRslora } = resolved.get("default")!
  assertEquals([r, loraAlpha, loraDropout, groupSize, pooling, targetModules, useRslora], [
    64,
    16,
    0,
    32,
    "sum",
    "all-linear",
    true,
  ])
  await inDirectory(async (directory) => {
    await writeModel(directory)
    const given = (options: object) => refusal(directory, over(grouped, built(QaLora.layer(options))))
    assertStringIncludes(await given({ useDora: true }), "useDora")
    assertStringIncludes(await given({ pooling: "max" }), 'pooling must be "sum", "mean" or "peft", got "max"')
    assertStringIncludes(await given({ groupSize: 0 }), "groupSize")
  })
})

Deno.test("files are PEFT's, and say what A reads; they come back, and no other convention is taken for theirs", () =>
  inDirectory(async (directory) => {
    const [base, saved] = [`${directory}/base`, `${directory}/saved`]
    await writeModel(base)
    const adapter = built(
      QaLora.layer({ r: 4, pooling: "mean", loraAlpha: 64, targetModules: ["q_proj", "down_proj"] }),
    )
    const wanted = await onWasm(
      Effect.gen(function* () {
        const model = yield* load(base, { task })
        yield* shake(model, 0.1)
        yield* saveAdapters(model, saved)
        return yield* computedLogits(model)
      }),
      over(grouped, adapter),
    )
    const file = `${saved}/adapter_config.json`
    const text = await Deno.readTextFile(file)
    const config = decodeLoraConfig(text, file)
    assertEquals([config.useQalora, config.qaloraGroupSize, config.qaloraPooling], [true, 32, "mean"])
    const shapes = shapesIn(`${saved}/adapter_model.safetensors`)
    const name = "base_model.model.model.layers.1.mlp.down_proj"
    assertEquals(shapes[`${name}.lora_A.weight`], [4, 3])
    assertEquals(shapes[`${name}.lora_B.weight`], [64, 4])
    const read = (from: ReturnType<typeof QaLora.fromPeft>) =>
      onWasm(Effect.flatMap(load(base, { task }), computedLogits), over(grouped, built(from)))
    assertEquals(await read(QaLora.fromPeft(saved)), wanted)
    assertEquals(await read(QaLora.fromPeft(saved, "default", { pooling: "mean", groupSize: 32 })), wanted)
    const fails = async (from: Layer.Layer<never, unknown, Base | Quantization.GroupQuantization>, message: string) =>
      assertStringIncludes(await refusal(base, over(grouped, from)), message)
    await fails(built(QaLora.fromPeft(saved, "default", { pooling: "sum" })), "qalora_pooling is mean, not sum")
    await fails(built(Lora.fromPeft(saved)), "A has one column for each 32 inputs: it is a QA-LoRA adapter")
    // Into a model with other options.
    const other = Effect.flatMap(load(base, { task }), (model) => Effect.flip(loadAdapters(model, saved)))
    const sums = built(QaLora.layer({ r: 4, loraAlpha: 64, targetModules: ["q_proj", "down_proj"] }))
    assertStringIncludes((await onWasm(other, over(grouped, sums))).message, "qaloraPooling is mean")

    const write = (change: (record: Record<string, unknown>) => void) => {
      const record = JSON.parse(text)
      change(record)
      return Deno.writeTextFile(file, JSON.stringify(record))
    }
    // Without our field: PEFT's own, what nobody says, and the authors' code, which knows no such fields.
    await write((record) => (delete record.qalora_pooling, record.peft_version = "0.21.2"))
    const peft = await read(QaLora.fromPeft(saved))
    assert(peft.some((value, i) => value !== wanted[i]))
    await fails(built(QaLora.fromPeft(saved, "default", { pooling: "mean" })), "qalora_pooling is peft, not mean")
    await write((record) => delete record.qalora_pooling)
    await fails(built(QaLora.fromPeft(saved)), "it does not say what A reads of a group")
    assertEquals(await read(QaLora.fromPeft(saved, "default", { pooling: "mean" })), wanted)
    await write((record) => (delete record.qalora_pooling, delete record.use_qalora, delete record.qalora_group_size))
    await fails(built(QaLora.fromPeft(saved)), "use_qalora is not on")
    assertEquals(await read(QaLora.fromPeft(saved, "default", { pooling: "mean", groupSize: 32 })), wanted)
    await write((record) => record.use_dora = true)
    await fails(built(QaLora.fromPeft(saved)), "use_dora is not known with use_qalora")
  }))

Deno.test("plain LoRA that PEFT trained in spite of use_qalora is told by A's shape", () =>
  inDirectory(async (directory) => {
    const [base, saved] = [`${directory}/base`, `${directory}/saved`]
    await writeModel(base)
    const options = { r: 4, loraAlpha: 8, targetModules: ["q_proj"] }
    const wanted = await onWasm(
      Effect.gen(function* () {
        const model = yield* load(base, { task })
        yield* shake(model, 0.1)
        yield* saveAdapters(model, saved)
        return yield* computedLogits(model)
      }),
      built(Lora.layer(options)),
    )
    const file = `${saved}/adapter_config.json`
    const record = JSON.parse(await Deno.readTextFile(file))
    await Deno.writeTextFile(
      file,
      JSON.stringify({ ...record, use_qalora: true, qalora_group_size: 32, peft_version: "0.21.2" }),
    )
    assertStringIncludes(
      await refusal(base, over(grouped, built(QaLora.fromPeft(saved)))),
      "A has a column for each input: it is plain LoRA",
    )
    const [logits, notes] = await onWasm(
      Effect.gen(function* () {
        const model = yield* load(base, { task })
        return [yield* computedLogits(model), model.notes] as const
      }),
      built(Lora.fromPeft(saved)),
    )
    assertEquals(logits, wanted)
    assert(notes.some((note) => note.includes("its tensors are those of plain LoRA")))
  }))
