/**
 * Frozen weights in 16 bits, from the file to a merged checkpoint, on both backends.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Backend } from "../../../core/backend/backend.ts"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { build } from "../../../core/graph/build.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import {
  load,
  type LoadOptions,
  merge,
  type Model,
  readParameters,
  saveCheckpoint,
  saveMerged,
} from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import { fit } from "../../../core/training/fit.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { noise } from "../../kernels/compare.ts"
import { distance } from "../../support/model_layer.ts"
import { onWebgpu } from "../backend/webgpu/with_webgpu.ts"
import { classifier, texts, tokenizer } from "../training/support.ts"

type Services = Backend | Plugins | Families | FileSystem.FileSystem | Scope.Scope
type Test = Effect.Effect<void, unknown, Services | Lora.Lora>

const task = Task.classification(["food", "sky"])
const [B, T] = [2, 9]
const batch: BatchTensors = {
  tokens: ops.input("tokens", [B, T], { dtype: "i32", batch: true }),
  lengths: ops.input("lengths", [B], { dtype: "i32", batch: true }),
  fields: { labels: ops.input("labels", [B], { dtype: "i32", batch: true }) },
  exampleWeight: ops.input("exampleWeight", [B], { batch: true }),
  task: "default",
}

/** Runs on a backend, with a folder that is gone afterwards. */
const on = async (
  backend: Layer.Layer<Backend, BackendError>,
  test: (directory: string) => Test,
  methods: Layer.Layer<Lora.Lora, unknown, Plugins> = Lora.layer({ r: 2 }),
): Promise<void> => {
  const directory = await Deno.makeTempDir()
  try {
    const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
    const all = Layer.mergeAll(methods, Llama.layer).pipe(Layer.provideMerge(base))
    await Effect.runPromise(Effect.scoped(test(directory)).pipe(Effect.provide(all, { local: true })))
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}
/** The tiny classifier as files, without anything that trains. */
const save = (directory: string, dtype: "F32" | "F16" | "BF16", change?: (model: Model) => Promise<void>) =>
  Effect.scoped(Effect.gen(function* () {
    const model = yield* classifier()
    if (change !== undefined) yield* Effect.promise(() => change(model))
    yield* saveCheckpoint(model.view({ only: [] }), directory, { dtype })
  }))
const logitsOf = (model: Model) =>
  Effect.promise(async () => {
    const { logits } = model.forward(batch, { training: false })
    const executable = await model.backend.compile(build({ name: "logits", outputs: { logits }, updates: [] }))
    const tokens = Int32Array.from({ length: B * T }, (_, i) => i * 7 % 300)
    return (await executable.run({ tokens, lengths: Int32Array.of(T, 5) })).logits
  })
const open = (directory: string, weights?: LoadOptions["weights"]) =>
  load(directory, { task, ...(weights === undefined ? {} : { weights }) })

const backends = [
  { name: "wasm", layer: wasm({ threads: 2 }), alignment: 64, test: Deno.test, dtypes: ["BF16", "F16"] as const },
  // Shaders take long to compile.
  { name: "webgpu", layer: webgpu(), alignment: 256, test: onWebgpu, dtypes: ["F16"] as const },
]
for (const { name, layer, alignment, test, dtypes } of backends) {
  for (const dtype of dtypes) {
    test(`${name}: a file in ${dtype} takes half the memory and gives the logits of its numbers in f32`, () =>
      on(layer, (directory) =>
        Effect.gen(function* () {
          yield* save(directory, dtype)
          const backend = yield* Backend
          const bytes = (elements: number, width: number) => Math.ceil(width * elements / alignment) * alignment
          const before = backend.memory().slotBytes
          const whole = yield* open(directory, "f32")
          const wholeBytes = backend.memory().slotBytes - before
          const half = yield* open(directory)
          let saved = 0
          for (const { key, owner, trainable, shape, slot } of half.parameters) {
            const narrow = owner === "base" && !trainable && shape.length > 1
            assertEquals(slot.storage, narrow ? dtype.toLowerCase() as "f16" : "f32", key)
            const elements = shape.reduce((a, b) => a * b, 1)
            if (narrow) saved += bytes(elements, 4) - bytes(elements, 2)
          }
          assert(saved > wholeBytes / 3)
          assertEquals(backend.memory().slotBytes - before, 2 * wholeBytes - saved)
          for (const [i, { slot }] of half.parameters.entries()) {
            const own = yield* Effect.promise(() => backend.read(slot))
            assertEquals(own, yield* Effect.promise(() => backend.read(whole.parameters[i].slot)))
          }
          const error = distance(yield* logitsOf(half), yield* logitsOf(whole))
          assert(error < 1e-6, `logits are off by ${error}`)
        })))
  }

  test(`${name}: LoRA on a base in bf16 trains as on the same numbers in f32`, () =>
    on(layer, (directory) =>
      Effect.gen(function* () {
        yield* save(directory, "BF16")
        const train = (weights: "stored" | "f32") =>
          Effect.gen(function* () {
            const model = yield* open(directory, weights)
            yield* fit(model, { train: texts(8) }, { maxSteps: 3, learningRate: 1e-2, batchSize: 4, tokenizer })
            return yield* readParameters(model)
          })
        const half = yield* train("stored"), whole = yield* train("f32")
        for (const [i, { parameter, data }] of half.entries()) {
          const error = distance(data, whole[i].data)
          assert(error < 1e-6, `${parameter.key} is off by ${error}`)
        }
        assert(half.some(({ parameter, data }) => parameter.name === "lora_B" && data.some((x) => x !== 0)))
      })))
}

Deno.test("LoRA merges into 16-bit weights exactly, in memory and on the way to a file", () =>
  on(wasm({ threads: 1 }), (directory) =>
    Effect.gen(function* () {
      yield* save(`${directory}/base`, "BF16")
      const half = yield* open(`${directory}/base`), whole = yield* open(`${directory}/base`, "f32")
      for (const { parameters, backend } of [half, whole]) {
        for (const { name, slot, shape } of parameters) {
          if (name === "lora_B") yield* Effect.promise(() => backend.write(slot, noise(shape[0] * shape[1])))
        }
      }
      yield* saveMerged(half, `${directory}/merged`)
      const inMemory = [yield* merge(half), yield* merge(whole)]
      const merged = yield* open(`${directory}/merged`)
      let changed = 0
      for (const { key, owner, slot } of merged.parameters) {
        if (owner !== "base") continue
        const of = ({ parameters, folded, backend }: Model) =>
          Effect.promise(() => backend.read((folded.get(key) ?? parameters.find((one) => one.key === key)!).slot))
        for (const model of inMemory) {
          assertEquals(yield* Effect.promise(() => merged.backend.read(slot)), yield* of(model), key)
          if (distance(yield* of(half), yield* of(model)) > 0) changed++
        }
      }
      assert(changed > 0)
    })))

Deno.test("weights in f16 and bf16 round those of f32; what f16 cannot hold is an error that says so", () =>
  on(wasm({ threads: 1 }), (directory) =>
    Effect.gen(function* () {
      const key = "model.layers.0.mlp.up_proj.weight"
      yield* save(directory, "F32", async (model) => {
        await model.backend.write(
          model.parameters.find((parameter) => parameter.key === key)!.slot,
          Float32Array.of(7e4),
          3,
        )
      })
      const backend = yield* Backend
      const before = backend.memory().slotBytes
      const error = yield* Effect.flip(Effect.scoped(open(directory, "f16")))
      assertEquals([error._tag, "reason" in error && error.reason], ["ModelError", "Weights"])
      for (const part of [key, "70000", '"bf16"']) assertStringIncludes(error.message, part)
      assertEquals(backend.memory().slotBytes, before)
      const model = yield* open(directory, "bf16")
      const { slot } = model.parameters.find((parameter) => parameter.key === key)!
      assertEquals((yield* Effect.promise(() => backend.read(slot)))[3], 70144)
      assert((yield* open(directory)).parameters.every(({ slot }) => slot.storage === "f32"))
      const wrong = yield* Effect.flip(open(directory, "int8" as never))
      assertStringIncludes(
        wrong.message,
        'weights must be "stored", "f32", "bf16" or "f16", or an encoding, got "int8"',
      )
    })))

Deno.test("what trains is f32, whatever the file has", () =>
  on(wasm({ threads: 1 }), (directory) =>
    Effect.gen(function* () {
      yield* save(directory, "BF16")
      const model = yield* open(directory)
      assert(model.parameters.length > 0 && model.parameters.every(({ slot }) => slot.storage === "f32"))
    }), Layer.empty as never))
