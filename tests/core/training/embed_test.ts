import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Effect from "effect/Effect"
import { load, saveCheckpoint } from "../../../core/model/mod.ts"
import { embed, type EmbedOptions } from "../../../core/training/embed.ts"
import { inDirectory } from "../../plugins/files.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"

const embedded = (directory: string, texts: ReadonlyArray<string>, options: EmbedOptions = {}) =>
  Effect.flatMap(
    load(directory, { task: Task.classification(["a", "b"]) }),
    (model) => embed(model, texts, options),
  )

const expectedOf = (name: string): { readonly texts: string[]; readonly embeddings: number[][] } =>
  JSON.parse(Deno.readTextFileSync(fixture(`sentence_transformers/${name}/expected.json`)))

/** A copy of a fixture with one of its files changed. */
const changed = (name: string, file: string, change: (json: never) => unknown) =>
  inDirectory(async (base) => {
    const from = fixture(`sentence_transformers/${name}`)
    for (const folder of ["", "1_Pooling", "2_Dense", "3_Dense"]) {
      await Deno.mkdir(`${base}/${folder}`, { recursive: true })
      for (const { name, isFile } of Deno.readDirSync(`${from}/${folder}`)) {
        if (isFile) await Deno.copyFile(`${from}/${folder}/${name}`, `${base}/${folder}/${name}`)
      }
    }
    const json = JSON.parse(await Deno.readTextFile(`${from}/${file}`))
    await Deno.writeTextFile(`${base}/${file}`, JSON.stringify(change(json as never)))
    const error = await failure(embedded(base, ["a pear"]))
    assertEquals(error._tag, file.endsWith("Dense/config.json") ? error._tag : "JsonError")
    return error.message
  })

Deno.test("embeddings are sentence-transformers': pooling, products, normalization as modules.json says", async () => {
  for (const name of ["gemma3", "cls", "last"]) {
    const { texts, embeddings } = expectedOf(name)
    const found = await run(embedded(fixture(`sentence_transformers/${name}`), texts))
    for (const [i, row] of found.entries()) {
      const error = distance(row, embeddings[i])
      assert(error < 1e-5, `${name}, text ${i}: off by ${error}`)
    }
  }
})

Deno.test("normalize goes before what modules.json says", async () => {
  const { texts } = expectedOf("gemma3")
  const length = (row: Float32Array) => Math.hypot(...row)
  const lengths = async (name: string, options?: EmbedOptions) =>
    (await run(embedded(fixture(`sentence_transformers/${name}`), texts, options))).map(length)
  for (const one of await lengths("gemma3")) assert(Math.abs(one - 1) < 1e-6)
  for (const one of await lengths("cls", { normalize: true })) assert(Math.abs(one - 1) < 1e-6)
  assert((await lengths("gemma3", { normalize: false })).every((one) => Math.abs(one - 1) > 1e-3))
})

Deno.test("modules, poolings and activations that are not known are errors that name them", async () => {
  type Modules = Array<{ type: string }>
  const lstm = await changed(
    "gemma3",
    "modules.json",
    ([first, ...rest]: Modules) => [first, { ...first, type: "sentence_transformers.models.LSTM" }, ...rest],
  )
  assertStringIncludes(lstm, "got Transformer LSTM Pooling Dense Dense Normalize")
  const pooling = await changed(
    "gemma3",
    "1_Pooling/config.json",
    (config: object) => ({ ...config, pooling_mode_mean_tokens: false, pooling_mode_max_tokens: true }),
  )
  assertStringIncludes(pooling, "the pooling mode must be one of mean")
  assertStringIncludes(pooling, "got max_tokens")
  const activation = await changed(
    "gemma3",
    "2_Dense/config.json",
    (config: object) => ({ ...config, activation_function: "torch.nn.modules.activation.Mish" }),
  )
  assertStringIncludes(activation, "activation_function must be one of Identity")
  const shape = await changed("gemma3", "2_Dense/config.json", (config: object) => ({ ...config, out_features: 23 }))
  assertStringIncludes(shape, '"linear.weight" must be there with the shape [23,16]')
})

Deno.test("a saved model embeds as the one that it was", async () => {
  const { texts, embeddings } = expectedOf("gemma3")
  await inDirectory(async (base) => {
    const from = fixture("sentence_transformers/gemma3"), to = `${base}/saved`
    const task = Task.classification(["a", "b"])
    await run(Effect.flatMap(load(from, { task }), (model) => saveCheckpoint(model, to)))
    for (const [i, row] of (await run(embedded(to, texts))).entries()) {
      const error = distance(row, embeddings[i])
      assert(error < 1e-5, `text ${i}: off by ${error}`)
    }
  })
})
