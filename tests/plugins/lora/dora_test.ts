import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { initialize, loadAdapters, merge, type Model, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, run } from "../../support/model_layer.ts"
import { inDirectory, logits, shapesIn } from "../files.ts"
import { distilBert, llama, type Rows, rowsOf, type Weights } from "../formulas.ts"
import { distilBertConfig, equalsFormula, llamaConfig } from "../padded.ts"

const R = 3
const lengths = (rows: Rows) => rows.map((row) => Math.hypot(...row))

/** W + scale B A of an adapter at a module. */
function summed(weights: Weights, id: string, module: string, scale: number, width = 16): Rows {
  const get = (name: string) => weights.get(`${id}:${module}.${name}`)!
  const [a, b] = [rowsOf(get("lora_A"), width), rowsOf(get("lora_B"), R)]
  return rowsOf(weights.get(`${module}.weight`)!, width).map((row, i) =>
    row.map((value, j) => value + scale * b[i].reduce((sum, up, k) => sum + up * a[k][j], 0))
  )
}

/**
 * Base weights with DoRA's in their place: W' = m / n (W + scale B A), row by row (Liu et al. 2024, eq. 5), where n is
 * the length as it was when first asked: derivatives take it for constant.
 */
function withDora(id: string, scale: number) {
  const constants = new Map<string, ReadonlyArray<number>>()
  return (weights: Weights): Weights => {
    const merged = new Map(weights)
    for (const key of weights.keys()) {
      if (!key.startsWith(`${id}:`) || !key.endsWith(".lora_magnitude_vector")) continue
      const module = key.slice(id.length + 1, key.lastIndexOf("."))
      const rows = summed(weights, id, module, scale)
      const n = constants.get(module) ?? lengths(rows)
      constants.set(module, n)
      merged.set(`${module}.weight`, rows.flatMap((row, i) => row.map((value) => value * weights.get(key)![i] / n[i])))
    }
    return merged
  }
}

Deno.test("DoRA in a Llama equals the paper's formula with the length taken for constant", async () => {
  const merged = withDora("lora/default", 6 / R)
  const options = { useDora: true, r: R, loraAlpha: 6, initLoraWeights: false, targetModules: ["q_proj", "up_proj"] }
  const trained = await equalsFormula(llamaConfig, Lora.layer(options), (weights, tokens) => {
    const all = merged(weights)
    const hidden = llama(llamaConfig, all, tokens, {})
    return rowsOf(all.get("score.weight")!, 16).map((row) =>
      row.reduce((sum, weight, i) => sum + weight * hidden[tokens.length - 1][i], 0)
    )
  })
  assertEquals(trained.filter((key) => key.endsWith("lora_magnitude_vector")).length, 4)
})

Deno.test("DoRA in a DistilBERT, whose products have biases, that train too", async () => {
  const merged = withDora("lora/x", 2)
  const options = {
    name: "x",
    useDora: true,
    r: R,
    loraAlpha: 2 * R,
    initLoraWeights: false,
    bias: "lora_only",
  } as const
  const trained = await equalsFormula(
    distilBertConfig,
    Lora.layer({ ...options, targetModules: ["q_lin", "out_lin"] }),
    (weights, tokens) => distilBert(distilBertConfig, merged(weights), tokens, {}),
  )
  assert(trained.includes("distilbert.transformer.layer.0.attention.q_lin.bias"))
})

const task = Task.causalLM()

Deno.test("lengths start as those of W + B A, and training begins at the base model's function", async () => {
  for (const initLoraWeights of [true, false]) {
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        const weights = new Map(model.parameters.map(({ key, slot }) => [key, backend.slots.get(slot.id)!]))
        const module = "model.layers.1.self_attn.q_proj"
        const expected = lengths(summed(weights, "lora/default", module, 8 / R))
        assert(distance(weights.get(`lora/default:${module}.lora_magnitude_vector`)!, expected) < 1e-6)
        const moved = distance(logits(model, backend), logits(model, backend, false))
        assert(initLoraWeights ? moved < 1e-6 : moved > 1e-2, `${moved}`)
      }),
      Lora.layer({ useDora: true, r: R, initLoraWeights }),
      backend,
    )
  }
})

/** Moves what trains to places of no meaning. */
function shake(model: Model, backend: ReturnType<typeof memoryBackend>): void {
  for (const { slot, trainable } of model.parameters) {
    if (trainable) backend.slots.get(slot.id)!.forEach((value, i, all) => all[i] = value + Math.sin(i + slot.id) / 5)
  }
}

Deno.test("merged it is the same function, and comes out again; files have PEFT's names", () =>
  inDirectory(async (directory) => {
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        shake(model, backend)
        const before = logits(model, backend)
        yield* saveAdapters(model, directory)
        assert(distance(before, logits(yield* merge(model), backend)) < 1e-10)
        assertEquals(distance(before, logits(model, backend)), 0)
        shake(model, backend)
        assert(distance(before, logits(model, backend)) > 1e-2)
        yield* loadAdapters(model, directory)
        assert(distance(before, logits(model, backend)) < 1e-5)
      }),
      Lora.layer({ useDora: true, r: R, targetModules: ["q_proj"] }),
      backend,
    )
    const place = "base_model.model.model.layers.0.self_attn.q_proj."
    const shapes = shapesIn(`${directory}/adapter_model.safetensors`)
    assertEquals(shapes[`${place}lora_magnitude_vector`], [16])
    assertEquals(shapes[`${place}lora_A.weight`], [R, 16])
    assertEquals(JSON.parse(Deno.readTextFileSync(`${directory}/adapter_config.json`)).use_dora, true)
    const plain = await failure(
      Effect.gen(function* () {
        yield* loadAdapters(yield* initialize(llamaConfig, { task }), directory)
      }),
      Lora.layer({ r: R, targetModules: ["q_proj"] }) as never,
    )
    assertStringIncludes(plain.message, "useDora is true, the adapter lora/default has false")
    const again = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        const adapters = yield* (yield* Lora.Lora).adapters
        assertEquals(adapters.get("default")?.useDora, true)
        assert(distance(logits(model, again), logits(model, again, false)) > 1e-2)
      }),
      Lora.fromPeft(directory) as never,
      again,
    )
  }))

Deno.test("two DoRA adapters and a plain one merge into the function that they are together (PEFT issue 3608)", async () => {
  const backend = memoryBackend()
  const layers = Layer.mergeAll(
    Lora.layer({ name: "a", useDora: true, r: R, targetModules: ["q_proj", "v_proj"] }),
    Lora.layer({ name: "b", useDora: true, r: R, targetModules: ["q_proj"] }),
    Lora.layer({ name: "c", r: R, targetModules: ["q_proj"] }),
  )
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task })
      shake(model, backend)
      const before = logits(model, backend)
      // Beside each other, each adapter adds W' - W of its own.
      const weights = new Map<string, ArrayLike<number>>(
        model.parameters.map(({ key, slot }) => [key, backend.slots.get(slot.id)!]),
      )
      const key = "model.layers.0.self_attn.q_proj.weight"
      const base = Array.from(weights.get(key)!)
      const alone = ["lora/a", "lora/b"].map((id) => Array.from(withDora(id, 8 / R)(weights).get(key)!))
      const plain = summed(weights, "lora/c", key.replace(".weight", ""), 8 / R).flat()
      const expected = base.map((w, i) => w + [...alone, plain].reduce((sum, values) => sum + values[i] - w, 0))

      // Some of them, the others beside them; all at once; one after the other.
      for (const names of [["lora/a"], ["lora/c"], ["lora/a", "lora/b"]]) {
        const some = yield* merge(model, names)
        assertEquals([...some.merged], names)
        assert(distance(before, logits(some, backend)) < 1e-9)
      }
      const last = yield* merge(yield* merge(yield* merge(model, ["lora/c"]), ["lora/b"]), ["lora/a"])
      for (const merged of [yield* merge(model, ["lora/c", "lora/a", "lora/b"]), last]) {
        assert(distance(backend.slots.get(merged.folded.get(key)!.slot.id)!, expected) < 1e-9)
        assert(distance(before, logits(merged, backend)) < 1e-9)
      }
      assertEquals(distance(weights.get(key)!, base), 0)
      assertEquals(distance(before, logits(model, backend)), 0)
    }),
    layers,
    backend,
  )
})

Deno.test("DoRA of an embedding is an error that says where", async () => {
  const error = await failure(
    initialize(llamaConfig, { task }),
    Lora.layer({ useDora: true, targetModules: ["embed_tokens"] }) as never,
  )
  assertStringIncludes(error.message, 'useDora is for Linear modules; "model.embed_tokens" is an Embedding')
})
