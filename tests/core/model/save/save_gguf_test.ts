import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Contribution } from "../../../../core/contracts/contribution.ts"
import { openGguf, readRows } from "../../../../core/formats/gguf/gguf_file.ts"
import { generate, load, type Model, saveGguf, type SaveGgufOptions } from "../../../../core/inference/mod.ts"
import { loadTokenizer } from "../../../../core/data/tokenizer_files/load_tokenizer.ts"
import { Task } from "../../../../core/tasks/builtin.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { Espalier, Plugins } from "../../../../mod.ts"
import * as Bert from "../../../../plugins/bert/mod.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"
import * as Lora from "../../../../plugins/lora/mod.ts"
import { Q4_1 } from "../../../../kernels/encodings/q4_1.ts"
import { inDirectory } from "../../../plugins/files.ts"
import { fixture } from "../../../support/model_layer.ts"

const included = new URL("../../../../examples/models/espalier-1m", import.meta.url).pathname
const task = Task.causalLM()

/** Runs with methods on the wasm backend. */
const run = <A, E>(
  effect: Effect.Effect<A, E, Espalier.Services | Scope.Scope>,
  ...contributions: ReadonlyArray<Contribution>
): Promise<A> => {
  const methods = Layer.effectDiscard(Effect.gen(function* () {
    const { register } = yield* Plugins.Plugins
    for (const one of contributions) yield* register(one)
  }))
  const all = Layer.mergeAll(methods, Bert.layer, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })),
  )
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all)) as Effect.Effect<A>)
}

/** Writes the included model in Q4_1. */
const written = (path: string) =>
  run(Effect.flatMap(load(included, { task }), (model) => saveGguf(model, path, { type: "Q4_1" })))

/** Bytes of a file's tensor. */
const bytesOf = (path: string, name: string) =>
  Effect.gen(function* () {
    const tensor = (yield* openGguf(path)).tensors.get(name)!
    return yield* readRows(path, tensor, 0, tensor.shape[0])
  })

/** Adds w to weights of a name: dense, or one number for each group of 32 inputs. */
const adding = (id: string, name: string, std: number, grouped: boolean): Contribution => ({
  id,
  sites: [{
    select: [name],
    plan: ({ sizes: { inFeatures, outFeatures } }) => {
      const groups = inFeatures / 32
      const shape = [outFeatures, grouped ? groups : inFeatures]
      return {
        place: "delta",
        parameters: { w: { shape, initializer: { kind: "normal", std } } },
        forward: ({ parameter }, x) => {
          const sums = () => ops.sum(ops.reshape(x, [...x.shape.slice(0, -1), groups, 32]), [x.shape.length])
          return ops.matmul(grouped ? sums() : x, parameter("w"), { transposeB: true })
        },
        merge: {
          weight: grouped
            ? { offsets: ({ parameter }) => parameter("w") }
            : ({ parameter }, weight) => ops.add(weight, parameter("w")),
        },
      }
    },
  }],
})

Deno.test("a model leaves as GGUF and comes back the same: weights, config, tokenizer, texts", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/model.gguf`
    const texts = (from: string) =>
      Effect.gen(function* () {
        const model = yield* load(from, { task })
        const weights = yield* Effect.promise(() =>
          Promise.all(model.parameters.map(async ({ key, slot }) => [key, await model.backend.read(slot)] as const))
        )
        const text = yield* generate(model, "Once upon a time", { maxNewTokens: 12 })
        const { encode, eosId, padId, vocabSize } = yield* loadTokenizer(from)
        return {
          weights,
          text,
          tokens: encode("Don't, 12 été 😀"),
          special: [eosId, padId, vocabSize],
          config: model.config,
        }
      })
    const report = await run(
      Effect.flatMap(load(included, { task }), (model) => saveGguf(model, path, { general: { author: "me" } })),
    )
    assertEquals([report.types, report.merged, report.accounts], [{ F32: 38 }, [], []])
    assert(report.check!.positions > 200 && report.check!.logits < 1e-4 && report.check!.agreement === 1)
    const [own, back] = [await run(texts(included)), await run(texts(path))]
    assertEquals([back.weights, back.text, back.tokens, back.special], [own.weights, own.text, own.tokens, own.special])
    for (
      const name of ["hidden_size", "num_key_value_heads", "max_position_embeddings", "rope_theta", "rms_norm_eps"]
    ) {
      assertEquals(back.config[name], own.config[name], name)
    }
    const { metadata } = await run(openGguf(path))
    assertEquals(metadata.get("general.author"), { type: "string", value: "me" })
    assertEquals(metadata.get("tokenizer.ggml.pre"), { type: "string", value: "gpt-2" })
  })
})

Deno.test("bytes of a quantized base leave as they came; beside it an update goes into offsets, or is rounded and accounted for", async () => {
  await inDirectory(async (directory) => {
    const [path, other] = ["base", "other"].map((name) => `${directory}/${name}.gguf`)
    const first = await written(path)
    assertEquals(first.types, { Q8_0: 1, Q4_1: 28, F32: 9 })
    assertEquals(first.check!.agreement > 0.7 && first.check!.logits > 0.1, true)
    const tensors = ["blk.0.attn_q.weight", "blk.3.ffn_down.weight", "blk.1.attn_k.weight"]
    const save = (options: SaveGgufOptions) =>
      Effect.flatMap(load(path, { task }), (model) => saveGguf(model, other, { ...options, force: true }))
    const plugins = [adding("m/grouped", "q_proj", 0.01, true), adding("m/dense", "down_proj", 0.004, false)]
    await run(
      Effect.gen(function* () {
        const bytes = (from: string) => Effect.forEach(tensors, (name) => bytesOf(from, name))
        const [query, down, key] = yield* bytes(path)
        const bare = yield* save({ only: [] })
        assertEquals([bare.merged, bare.accounts, yield* bytes(other)], [[], [], [query, down, key]])
        const merged = yield* save({})
        assertEquals(merged.merged, ["m/dense", "m/grouped"])
        const [newQuery, newDown, newKey] = yield* bytes(other)
        assertEquals(newKey, key)
        // Scales and codes of a block are all but its third and fourth byte.
        const codes = (bytes: Uint8Array) => bytes.filter((_, i) => i % 20 < 2 || i % 20 > 3)
        assertEquals(codes(newQuery), codes(query))
        assert(Q4_1.affine!.offsets(newQuery).some((offset, i) => offset !== Q4_1.affine!.offsets(query)[i]))
        assert(codes(newDown).some((code, i) => code !== codes(down)[i]))
        const of = (type: string) => merged.accounts.filter((one) => one.type === type)
        assertEquals([of("Q4_1 offsets").length, of("Q4_1").length, merged.accounts.length], [4, 4, 8])
        for (const { update, error } of of("Q4_1 offsets")) {
          assertAlmostEquals(update!.kept, 1, 1e-2)
          assert(error < 0.02 * update!.size)
        }
        for (const { update, error, weight } of of("Q4_1")) {
          assert(update!.kept > 0 && update!.kept < 2 && error > 0.3 * update!.size && error < 0.2 * weight)
        }
      }),
      ...plugins,
    )
  })
})

Deno.test("a file that answers otherwise than it may is not written, and the old one stays", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/model.gguf`
    await Deno.writeTextFile(path, "old")
    const save = (options: SaveGgufOptions) =>
      run(Effect.flatMap(load(included, { task }), (model) => Effect.flip(saveGguf(model, path, options))))
    const exists = await save({ type: "Q4_1" })
    assertEquals([exists._tag, (exists as { reason?: string }).reason], ["StorageError", "Exists"])
    assertStringIncludes(exists.message, "give force to write over it")
    const tolerance = { agreement: 1, logits: 0.5, perplexity: 1.001 }
    const error = await save({ type: "Q4_1", force: true, check: { tolerance } })
    assertEquals([error._tag, (error as { reason?: string }).reason], ["ExportError", "Inexact"])
    for (
      const part of [
        "logits differ by up to",
        "the likeliest token is the same at",
        "the perplexity goes from",
        "more bits",
      ]
    ) {
      assertStringIncludes(error.message, part)
    }
    assertEquals([await Deno.readTextFile(path), [...Deno.readDirSync(directory)].length], ["old", 1])
  })
})

Deno.test("what GGUF cannot hold is refused before anything is written", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/model.gguf`
    const refused = async (
      from: string,
      options: object,
      message: string,
      own: object = { task },
      ...plugins: ReadonlyArray<Contribution>
    ) => {
      const error = await run(
        Effect.flatMap(
          load(from, own as Parameters<typeof load>[1]),
          (model: Model) => Effect.flip(saveGguf(model, path, options)),
        ),
        ...plugins,
      )
      assertStringIncludes(error.message, message)
    }
    await refused(included, {}, "only a causal language model", { task: Task.classification(["a", "b"]) })
    await refused(included, { type: "Q3_K" }, "Q3_K")
    await refused(included, { forse: true }, "forse")
    await refused(included, { check: { maxTokens: 1 } }, "check.maxTokens must be")
    await refused(included, { check: { prompts: [3] } }, "a text or an Int32Array")
    await refused(fixture("llama/mistral"), {}, "tokenizer.json")
    const unmerged = { ...adding("m/x", "q_proj", 1, false) }
    const site = unmerged.sites![0]
    const fixed: Contribution = {
      id: "m/fixed",
      sites: [{ ...site, plan: (module) => ({ ...site.plan(module), merge: "it folds into nothing" }) as never }],
    }
    await refused(included, {}, "it folds into nothing", { task }, fixed)
    assertEquals([...Deno.readDirSync(directory)], [])
  })
})

Deno.test("an adapter of low rank is merged into each type, and the file says what it said beside the weights", async () => {
  await inDirectory(async (directory) => {
    const lora = Lora.layer({ r: 4, loraAlpha: 16, initLoraWeights: false, targetModules: ["q_proj", "v_proj"] })
    const all = Layer.mergeAll(lora, Llama.layer).pipe(Layer.provideMerge(Espalier.layerWith({ backend: "wasm" })))
    const program = Effect.gen(function* () {
      const model = yield* load(included, { task })
      for (const type of ["F16", "Q8_0"] as const) {
        const { accounts, check } = yield* saveGguf(model, `${directory}/${type}.gguf`, { type })
        const updated = accounts.filter(({ update }) => update !== undefined)
        assertEquals(
          updated.map(({ name }) => name.split(".")[2]).sort(),
          [..."kqv"].flatMap((x) => x === "k" ? [] : Array(4).fill(`attn_${x}`)),
        )
        assert(updated.every(({ update }) => Math.abs(update!.kept - 1) < 0.02))
        assert(check!.agreement > 0.95 && check!.perplexity!.after < 1.01 * check!.perplexity!.before)
      }
    })
    await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
  })
})
