import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../../../core/contracts/contribution.ts"
import {
  load,
  type LoadOptions,
  type Model,
  saveMerged,
  type SaveMergedOptions,
} from "../../../../core/inference/mod.ts"
import { compareAnswers, judge } from "../../../../core/model/save/check/self_check.ts"
import { Task } from "../../../../core/tasks/builtin.ts"
import * as ops from "../../../../core/tensor/ops.ts"
import { Espalier, ExportError, Plugins } from "../../../../mod.ts"
import * as Llama from "../../../../plugins/llama/mod.ts"
import { inDirectory } from "../../../plugins/files.ts"
import { fixture } from "../../../support/model_layer.ts"

const included = new URL("../../../../examples/models/espalier-1m", import.meta.url).pathname

/** Scales outputs by 1.5; says that it does so by `said`. */
const scaling = (said: number): Contribution => ({
  id: "m/scaling",
  sites: [{
    select: ["v_proj"],
    plan: () => ({
      place: "after",
      parameters: {},
      forward: (_, x) => ops.mul(x, 1.5),
      merge: { weight: (_, weight) => ops.mul(weight, said) },
    }),
  }],
})

/** Writes a model that is merged with a method. */
const write = (
  from: string,
  task: LoadOptions["task"],
  said: number,
  directory: string,
  options: SaveMergedOptions = {},
) => {
  const methods = Layer.effectDiscard(
    Effect.flatMap(Effect.service(Plugins.Plugins), ({ register }) => register(scaling(said))),
  )
  const all = Layer.mergeAll(methods, Llama.layer).pipe(
    Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
  )
  const program = Effect.flatMap(load(from, { task: task! }), (model) => saveMerged(model, directory, options))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
}

Deno.test("a merge gives the figures of its check: of tokens, of texts, and without a tokenizer", async () => {
  await inDirectory(async (directory) => {
    const tokens = await write(included, Task.causalLM(), 1.5, `${directory}/tokens`)
    assert(tokens!.positions > 200 && tokens!.agreement === 1 && tokens!.logits < 1e-4)
    assertAlmostEquals(tokens!.perplexity!.after / tokens!.perplexity!.before, 1, 1e-5)
    const texts = await write(included, Task.classification(["a", "b"]), 1.5, `${directory}/texts`)
    assertEquals([texts!.positions, texts!.perplexity], [8, undefined])
    const prompts = ["It rained", Int32Array.of(5, 9, 11)]
    const own = await write(included, Task.causalLM(), 1.5, `${directory}/own`, { check: { prompts, maxTokens: 2 } })
    assertEquals(own!.positions, 4)
    const ids = await write(fixture("llama/mistral"), Task.causalLM(), 1.5, `${directory}/ids`)
    assertEquals(ids!.positions, 64)
  })
})

Deno.test("a merge that says another thing than it does fails, and the old directory stays", async () => {
  await inDirectory(async (parent) => {
    const directory = `${parent}/model`
    await write(included, Task.causalLM(), 1.5, directory)
    const before = await Deno.readFile(`${directory}/model.safetensors`)
    let error: unknown
    await write(included, Task.causalLM(), 1.2, directory).catch((cause) => error = cause)
    assert(error instanceof ExportError && error.reason === "Inexact" && error.check!.logits > 0.01)
    assertStringIncludes(error.message, `"${directory}" was not written`)
    assertEquals(await Deno.readFile(`${directory}/model.safetensors`), before)
    assertEquals([...Deno.readDirSync(parent)].length, 1)
    assertEquals(await write(included, Task.causalLM(), 1.2, directory, { check: false }), undefined)
    assert((await Deno.readFile(`${directory}/model.safetensors`)).some((byte, i) => byte !== before[i]))
  })
})

Deno.test("figures of a check by hand; what is no number is beyond every tolerance", () => {
  const model = { task: Task.causalLM(), network: { vocabSize: 2 } } as unknown as Model
  const tolerance = { logits: 5, agreement: 0.5, perplexity: 2 }
  const log = (...shares: ReadonlyArray<number>) => Float32Array.from(shares, Math.log)
  const [own, other] = [log(0.5, 0.5, 0.25, 0.75), log(0.25, 0.75, 0.5, 0.5)]
  const check = compareAnswers(model, [Int32Array.of(0, 1)], [own], [other], tolerance)
  assertEquals([check.positions, check.agreement], [2, 0])
  assertAlmostEquals(check.logits, Math.log(2), 1e-6)
  assertAlmostEquals(check.perplexity!.before, 2, 1e-6)
  assertAlmostEquals(check.perplexity!.after, 4 / 3, 1e-6)
  assertStringIncludes(judge(check, "x")!.message, "the same at 0.0 % of positions (50.0 % is required)")
  assertEquals(judge({ ...check, agreement: 1 }, "x"), undefined)
  const broken = compareAnswers(model, [Int32Array.of(0, 1)], [own], [Float32Array.of(NaN, 0, 0, 1)], tolerance)
  assertStringIncludes(judge(broken, "x")!.message, "logits differ by up to NaN")
})
