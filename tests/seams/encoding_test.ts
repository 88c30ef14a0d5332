/**
 * An encoding of a third party in blocks, written against the public exports alone, in programs of both backends.
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  BackendError,
  Dataset,
  Espalier,
  Model,
  ops,
  ShapeError,
  Task,
  type Tokenizer,
  Trainer,
} from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import { build } from "@espalier/espalier/plugin"
import type { BlockEncoding } from "@espalier/espalier/kernels"
import { assertProducts, assertRight, numbers, onBoth } from "../support/blocks.ts"
import { importPage } from "../support/page.ts"

const { q8 } = await importPage<{ readonly q8: BlockEncoding }>("docs/add_a_encoding.md")

/** Rows of x, of the weights, and the width of both: thin products, tiles and strips, with sums in one and in three parts. */
const SIZES = [[5, 24, 64], [70, 40, 64], [1, 27, 96], [20, 27, 96], [70, 34, 3136], [3, 9, 3136]]

onBoth("products of weights in blocks of 32, forward and by their input", async (backend) => {
  // A CPU in disguise compiles each form of shader for long.
  for (const [m, n, k] of backend.info.name === "wasm" ? SIZES : SIZES.slice(0, 2)) {
    const exact = numbers(n * k, 1)
    const weights = await assertProducts(backend, q8, [m, n, k], exact)
    assert(
      weights.every((value, i) => Math.abs(value - exact[i]) < 0.006),
      "rounded to 1/254 of the largest of a block",
    )
  }
})

onBoth("weights in blocks along the columns, and views that do not step over whole blocks", async (backend) => {
  const slot = backend.allocate("weights", [40, 64], "f32", q8)
  await backend.write(slot, numbers(40 * 64, 3))
  const weights = await backend.read(slot) as Float32Array
  const x = ops.input("x", [7, 40]), w = ops.slot(slot)
  const y = ops.matmul(x, w)
  const part = ops.matmul(ops.slice(x, [0, 0], [7, 20]), ops.slice(w, [20, 5], [20, 30]))
  const rows = ops.gather(w, ops.constant(Int32Array.of(3, 39, 0), [3]))
  const sums = ops.sum(ops.mul(w, w), [0])
  await assertRight(
    backend,
    { name: "views", outputs: { y, part, rows, sums }, updates: [] },
    slot.id,
    weights,
    numbers(280, 4),
  )
})

onBoth("blocks are written as they are encoded, and whole", async (backend) => {
  const slot = backend.allocate("weights", [3, 64], "f32", q8)
  const bytes = new Uint8Array(6 * 34)
  q8.encode!(numbers(192, 5), bytes)
  for (let block = 0; block < 6; block++) {
    await backend.write(slot, bytes.subarray(34 * block, 34 * (block + 1)), 32 * block)
  }
  const want = new Float32Array(192)
  q8.decode.reference(bytes, want)
  assertEquals(await backend.read(slot), want)
  assertEquals(await backend.readEncoded(slot), bytes)
  assertEquals(await backend.readEncoded(slot, 32, 64), bytes.slice(34, 3 * 34))
  await assertRejects(() => backend.readEncoded(slot, 16), BackendError, "are not whole blocks of it")
  await assertRejects(() => backend.readEncoded(slot, 160, 64), BackendError, "are not whole blocks of it")
  await assertRejects(() => backend.write(slot, numbers(32, 1), 16), BackendError, "whole blocks of 32")
  assertThrows(() => backend.allocate("odd", [64, 40], "f32", q8), BackendError, "no multiple of 32")
  const graph = { name: "update", outputs: {}, updates: [[slot, ops.full(0, [3, 64])]] } as const
  assertThrows(() => build(graph), ShapeError, "is kept in example/q8_0")
})

Deno.test("a model keeps its frozen matrices in an encoding from outside, and LoRA trains beside them", async () => {
  const directory = await Deno.makeTempDir()
  try {
    const shape = { hidden_size: 32, intermediate_size: 64, num_attention_heads: 2, num_key_value_heads: 1 }
    const more = { vocab_size: 23, num_hidden_layers: 1, max_position_embeddings: 16, initializer_range: 0.3 }
    const task = Task.classification(["a", "b"])
    const tokenizer: Tokenizer.Tokenizer = {
      vocabSize: 23,
      addsSpecialTokens: false,
      encode: (text) => Int32Array.from(text, Number),
      decode: (ids) => Array.from(ids).join(""),
      token: String,
      id: Number,
    }
    const rows = Array.from(
      { length: 16 },
      (_, i) => ({ text: `${i % 2 ? 1234 : 5678}${i}`, label: i % 2 ? "a" : "b" }),
    )
    const data = Dataset.fromRows(rows, { text: "text", label: "label" })
    const layers = Layer.mergeAll(Llama.layer, Lora.layer({ r: 2, targetModules: "all-linear" })).pipe(
      Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
    )
    await Effect.gen(function* () {
      const first = yield* Model.initialize({ model_type: "llama", ...shape, ...more }, { task })
      yield* Model.saveCheckpoint(first.view({ only: [] }), directory)
      const [exact, blocks] = [
        yield* Model.load(directory, { task }),
        yield* Model.load(directory, { task, weights: q8 }),
      ]
      const kept = new Set(blocks.parameters.filter(({ slot }) => slot.storage === q8).map(({ name }) => name))
      assertEquals([...kept], ["weight"])
      const losses: Array<number> = []
      const [a, b] = yield* Effect.all([exact, blocks].map((model) => Trainer.embed(model, ["123456"], { tokenizer })))
      const off = Math.hypot(...a[0].map((x, i) => x - b[0][i])) / Math.hypot(...a[0])
      assert(off > 1e-6 && off < 0.05, `${off}`)
      yield* Trainer.fit(blocks, { train: data }, {
        tokenizer,
        epochs: 10,
        learningRate: 1e-2,
        observe: (event) => Effect.sync(() => void (event.type === "step" && losses.push(event.loss))),
      })
      assert(losses.at(-1)! < 0.5 * losses[0], `${losses}`)
    }).pipe(Effect.scoped, Effect.provide(layers, { local: true }), Effect.runPromise)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
})
