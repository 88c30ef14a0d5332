import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { initialize, loadAdapters, merge, type Model, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { makeRng } from "../../../core/tensor/operations/random.ts"
import {
  type Matrix,
  product,
  smallSvd,
  subspaceSvd,
  svd,
  thinQr,
  transposed,
} from "../../../core/weights/combine/decompose.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, run } from "../../support/model_layer.ts"
import { inDirectory, logits, shapesIn } from "../files.ts"
import { llama, rowsOf } from "../formulas.ts"
import { equalsFormula, llamaConfig } from "../padded.ts"

const randomMatrix = (rows: number, columns: number, seed: number): Matrix => {
  const rng = makeRng(seed)
  return { rows, columns, data: Float64Array.from({ length: rows * columns }, () => rng.normal()) }
}
const diagonal = (values: ArrayLike<number>): Matrix => {
  const data = new Float64Array(values.length ** 2)
  for (let i = 0; i < values.length; i++) data[i * (values.length + 1)] = values[i]
  return { rows: values.length, columns: values.length, data }
}
const isOrthonormal = (columns: Matrix): boolean =>
  distance(product(transposed(columns), columns).data, diagonal(new Array(columns.columns).fill(1)).data) < 1e-12

Deno.test("singular values of matrices, tall and wide, are those that they were made of", () => {
  for (const [rows, columns] of [[40, 60], [60, 40], [7, 7], [1, 5]]) {
    const least = Math.min(rows, columns)
    const left = thinQr(randomMatrix(rows, least, 1), least).q
    const right = thinQr(randomMatrix(columns, least, 2), least).q
    assert(isOrthonormal(left) && isOrthonormal(right))
    // Close to each other, one of them twice, as only a slow method tells them apart.
    const values = Float64Array.from({ length: least }, (_, i) => 3 - (i === 1 ? 0 : i) / 20)
    const weight = product(product(left, diagonal(values)), transposed(right))
    for (const r of [1, Math.min(5, least), least]) {
      const found = svd(weight, r)
      assert(distance(found.values, values.slice(0, r)) < 1e-12, `${found.values}`)
      assert(isOrthonormal(found.left) && isOrthonormal(transposed(found.right)))
      if (r < 2 || r === least) continue
      const best = product(product(left, diagonal(values.map((value, i) => i < r ? value : 0))), transposed(right))
      assert(distance(product(product(found.left, diagonal(found.values)), found.right).data, best.data) < 1e-11)
    }
    assert(distance(smallSvd(weight).values.slice(0, least), values) < 1e-12)
  }
})

Deno.test("matrices of low rank, of ones and of zeros have their singular values", () => {
  const low = product(randomMatrix(30, 2, 3), randomMatrix(2, 40, 4))
  const found = svd(low, 4)
  assert(found.values[1] > 1 && found.values[2] < 1e-12)
  assert(distance(product(product(found.left, diagonal(found.values)), found.right).data, low.data) < 1e-11)
  assert(distance(svd(diagonal(new Array(30).fill(1)), 3).values, [1, 1, 1]) < 1e-12)
  assert(distance(svd(diagonal(new Array(30).fill(0)), 2).values, [0, 0]) < 1e-12)
})

Deno.test("rounds of subspace iteration come nearer to the greatest singular values", () => {
  const weight = randomMatrix(50, 70, 5)
  const exact = svd(weight, 4)
  const errors = [1, 4, 200].map((rounds) => distance(subspaceSvd(weight, 4, rounds).values, exact.values))
  assert(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] < 1e-3, `${errors}`)
})

Deno.test("QR gives the first directions of a matrix", () => {
  const weight = randomMatrix(9, 6, 6)
  const { q, r } = thinQr(weight, 6)
  assert(isOrthonormal(q))
  assert(distance(product(q, r).data, weight.data) < 1e-12)
  const part = thinQr(weight, 2)
  assert(distance(part.r.data, r.data.slice(0, 12)) < 1e-12)
  assert(distance(transposed(part.q).data, transposed(q).data.slice(0, 18)) < 1e-12)
})

const task = Task.causalLM()
const module = "model.layers.1.mlp.up_proj"
const modes = ["pissa", "pissa_niter_8", "olora"] as const
const layerOf = (initLoraWeights: Lora.LoraInitialization, more: Lora.LoraOptions = {}) =>
  Lora.layer({ r: 3, loraAlpha: 6, targetModules: ["q_proj", "up_proj"], initLoraWeights, ...more })
/** A parameter of the model. */
const valueOf = (model: Model, backend: MemoryBackend, key: string): Float64Array =>
  backend.slots.get(model.parameters.find((parameter) => parameter.key === key)!.slot.id)!
const factor = (model: Model, backend: MemoryBackend, name: string, width: number): Matrix => {
  const data = valueOf(model, backend, `lora/default:${module}.${name}`)
  return { rows: data.length / width, columns: width, data }
}

for (const mode of modes) {
  Deno.test(`${mode} starts at the base model's function, from the weight's main directions`, async () => {
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        assert(distance(logits(model, backend), logits(model, backend, false)) < 1e-12)
        const ba = product(factor(model, backend, "lora_B", 3), factor(model, backend, "lora_A", 16))
        const weight: Matrix = { rows: 20, columns: 16, data: valueOf(model, backend, `${module}.weight`) }
        const { left, values, right } = mode === "pissa_niter_8" ? subspaceSvd(weight, 3, 8) : svd(weight, 3)
        const qr = thinQr(weight, 3)
        // PiSSA divides by the scale, 2 here; OLoRA does not.
        const expected = mode === "olora"
          ? product(qr.q, qr.r)
          : product(product(left, diagonal(values.map((value) => value / 2))), right)
        assert(distance(ba.data, expected.data) < 1e-6)
        assertEquals(model.parameters.filter((p) => p.trainable && p.name.startsWith("initial")).length, 0)
      }),
      layerOf(mode),
      backend,
    )
  })
}

for (const useDora of [false, true]) {
  Deno.test(`PiSSA trains beside the rest of the weight as the formula says, DoRA ${useDora}`, async () => {
    const lengths = new Map<string, ReadonlyArray<number>>()
    const trained = await equalsFormula(llamaConfig, layerOf("pissa", { useDora }), (weights, tokens) => {
      const all = new Map(weights)
      for (const key of weights.keys()) {
        if (!key.endsWith(".lora_A")) continue
        const path = key.slice("lora/default:".length, -".lora_A".length)
        const get = (name: string, width: number): Matrix => {
          const data = Float64Array.from(weights.get(`lora/default:${path}.${name}`)!)
          return { rows: data.length / width, columns: width, data }
        }
        const [ba, start] = ["lora", "initial"].map((name) => product(get(`${name}_B`, 3), get(`${name}_A`, 16)).data)
        const residual = Array.from(weights.get(`${path}.weight`)!, (value, i) => value - 2 * start[i])
        const rows = rowsOf(residual.map((value, i) => value + 2 * ba[i]), 16)
        const n = lengths.get(path) ?? rows.map((row) => Math.hypot(...row))
        lengths.set(path, n)
        const m = weights.get(`lora/default:${path}.lora_magnitude_vector`) ?? n
        all.set(`${path}.weight`, rows.flatMap((row, i) => row.map((value) => value * m[i] / n[i])))
      }
      const hidden = llama(llamaConfig, all, tokens, {})
      return rowsOf(all.get("score.weight")!, 16).map((row) =>
        row.reduce((sum, weight, i) => sum + weight * hidden[tokens.length - 1][i], 0)
      )
    })
    assertEquals(trained.length, 4 * (useDora ? 3 : 2) + 1)
  })
}

/** Moves what trains. */
function shake(model: Model, backend: MemoryBackend): void {
  for (const { slot, trainable } of model.parameters) {
    if (trainable) backend.slots.get(slot.id)!.forEach((value, i, all) => all[i] = value + Math.sin(i + slot.id) / 9)
  }
}

for (
  const more of [{}, { useRslora: true, rankPattern: { up_proj: 2 }, alphaPattern: { up_proj: 3 } }, { useDora: true }]
) {
  Deno.test(`files hold a plain adapter of twice the rank for the unchanged base: ${JSON.stringify(more)}`, () =>
    inDirectory(async (directory) => {
      const backend = memoryBackend()
      let before: ArrayLike<number> = []
      await run(
        Effect.gen(function* () {
          const model = yield* initialize(llamaConfig, { task })
          shake(model, backend)
          before = logits(model, backend)
          assert(distance(before, logits(model, backend, false)) > 1e-2)
          yield* saveAdapters(model, directory)
          const kept = new Map([...backend.slots].map(([id, values]) => [id, values.slice()]))
          shake(model, backend)
          // Continues from a file as if it had never stopped: what it started from is there again.
          yield* loadAdapters(model, directory)
          for (const [id, values] of kept) assert(distance(values, backend.slots.get(id)!) < 1e-6)
          assert(distance(before, logits(yield* merge(model), backend)) < 1e-5)
          assert(distance(before, logits(model, backend)) < 1e-5)
        }),
        layerOf("pissa", more),
        backend,
      )
      const rank = "rankPattern" in more ? 2 : 3
      const shapes = shapesIn(`${directory}/adapter_model.safetensors`)
      assertEquals(shapes[`base_model.model.${module}.lora_A.weight`], [2 * rank, 16])
      assertEquals(shapes[`base_model.model.${module}.lora_B.weight`], [20, 2 * rank])
      assertEquals(Object.keys(shapes).filter((name) => name.includes("initial")), [])
      const config = JSON.parse(Deno.readTextFileSync(`${directory}/adapter_config.json`))
      assertEquals([config.r, config.init_lora_weights], [6, true])
      const plain = memoryBackend()
      await run(
        Effect.gen(function* () {
          const model = yield* initialize(llamaConfig, { task })
          assert(distance(before, logits(model, plain)) < 1e-5)
        }),
        Lora.fromPeft(directory) as never,
        plain,
      )
    }))
}

Deno.test("PEFT's own files count from the rest of the weight, which is made again; of another start they are refused", () =>
  inDirectory(async (directory) => {
    let before: ArrayLike<number> = []
    const backend = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        shake(model, backend)
        yield* saveAdapters(model, directory)
      }),
      layerOf(true),
      backend,
    )
    const path = `${directory}/adapter_config.json`
    const config = { ...JSON.parse(Deno.readTextFileSync(path)), init_lora_weights: "olora" }
    Deno.writeTextFileSync(path, JSON.stringify(config))
    const loaded = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        yield* loadAdapters(model, directory)
        before = logits(model, loaded)
        // The same A and B over the whole weight are something else.
        assert(distance(before, logits(model, loaded, false)) > 1e-2)
        const fresh = factor(model, loaded, "initial_A", 16)
        assert(
          distance(
            fresh.data,
            thinQr({ rows: 20, columns: 16, data: valueOf(model, loaded, `${module}.weight`) }, 3).r.data,
          ) < 1e-6,
        )
      }),
      layerOf("olora"),
      loaded,
    )
    const again = memoryBackend()
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(llamaConfig, { task })
        assert(distance(before, logits(model, again)) < 1e-12)
      }),
      Lora.fromPeft(directory) as never,
      again,
    )
    for (const mode of [true, "pissa"] as const) {
      const error = await failure(
        Effect.gen(function* () {
          yield* loadAdapters(yield* initialize(llamaConfig, { task }), directory)
        }),
        layerOf(mode) as never,
      )
      assertStringIncludes(error.message, 'init_lora_weights is "olora"')
    }
  }))
