/**
 * Updates that are one number a group, merged into the offsets of weights in blocks, by an encoding from outside.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import type { Contribution } from "../../../core/contracts/contribution.ts"
import { layer as pluginsLayer, Plugins } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { initialize, load, merge, type Model, saveCheckpoint, saveMerged } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import { f32x4, i32, i32x4, v128 } from "../../../kernels/wasm/assembler.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import { distance } from "../../support/model_layer.ts"
import { computedLogits, inDirectory } from "../../plugins/files.ts"

const BLOCK = 8, BYTES = 16
const floatAt = (bytes: Uint8Array, block: number, place: number) =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat32(block * BYTES + 4 * place, true)
const setFloat = (bytes: Uint8Array, block: number, place: number, value: number) =>
  new DataView(bytes.buffer, bytes.byteOffset).setFloat32(block * BYTES + 4 * place, value, true)

/** Blocks of 8: scale and offset in f32, then a byte for each element. */
const affine: BlockEncoding = {
  name: "example/affine",
  block: BLOCK,
  blockBytes: BYTES,
  affine: {
    offsets: (bytes) => Float32Array.from({ length: bytes.length / BYTES }, (_, block) => floatAt(bytes, block, 1)),
    addOffsets: (bytes, deltas) =>
      deltas.forEach((delta, block) => setFloat(bytes, block, 1, floatAt(bytes, block, 1) + delta)),
  },
  encode: (data, to) => {
    for (let block = 0; block < data.length / BLOCK; block++) {
      const own = data.subarray(block * BLOCK, (block + 1) * BLOCK)
      const [least, most] = [Math.min(...own), Math.max(...own)]
      const scale = Math.fround((most - least) / 255 || 1)
      setFloat(to, block, 0, scale)
      setFloat(to, block, 1, least)
      own.forEach((x, i) => to[block * BYTES + 8 + i] = Math.round((x - least) / scale))
    }
  },
  decode: {
    reference: (from, to) => {
      for (let i = 0; i < to.length; i++) {
        const block = Math.floor(i / BLOCK)
        to[i] = floatAt(from, block, 0) * from[block * BYTES + 8 + i % BLOCK] + floatAt(from, block, 1)
      }
    },
    wasm: (_, address, first) => {
      const bytes = i32x4.fromBytesS(v128.load32Zero(i32.add(address, first), 8))
      const numbers = v128.and(bytes, i32x4.splat(i32.const(255)))
      const float = (place: number) => v128.load32Splat(address, place)
      return f32x4.add(f32x4.mul(float(0), f32x4.convertS(numbers)), float(4))
    },
    wgsl: () => "vec4<f32>()",
  },
}
/** The same, whose offsets cannot be written. */
const fixed: BlockEncoding = (({ affine: _, ...rest }) => ({ ...rest, name: "example/fixed" }))(affine)
/** The same, whose offsets are halves of the largest that f32 holds: any change overflows. */
const narrow: BlockEncoding = {
  ...affine,
  name: "example/narrow",
  affine: {
    offsets: affine.affine!.offsets,
    addOffsets: (bytes, deltas) => deltas.forEach((_, block) => setFloat(bytes, block, 1, Infinity)),
  },
}

const config = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
  initializer_range: 0.3,
}
const start = { kind: "normal", std: 0.5 } as const

/** Adds w [out, in / group] times the sums of groups of inputs. */
const grouped = (id: string, name: string, group: number): Contribution => ({
  id,
  sites: [{
    select: [name],
    plan: ({ sizes: { inFeatures, outFeatures } }) => ({
      place: "delta",
      parameters: { w: { shape: [outFeatures, inFeatures / group], initializer: start } },
      forward: ({ parameter }, x) => {
        const sums = ops.sum(ops.reshape(x, [...x.shape.slice(0, -1), inFeatures / group, group]), [x.shape.length])
        return ops.matmul(sums, parameter("w"), { transposeB: true })
      },
      merge: { weight: { offsets: ({ parameter }) => parameter("w") } },
    }),
  }],
})
const full: Contribution = {
  id: "m/full",
  sites: [{
    select: ["o_proj"],
    plan: () => ({
      place: "delta",
      parameters: { w: { shape: [16, 16], initializer: start } },
      forward: ({ parameter }, x) => ops.matmul(x, parameter("w"), { transposeB: true }),
      merge: { weight: ({ parameter }, weight) => ops.add(weight, parameter("w")) },
    }),
  }],
}

const task = Task.causalLM()
type Needs = Backend | Plugins | Layer.Success<typeof familiesLayer> | Layer.Success<typeof NodeFileSystem.layer>

/** Runs an effect with these plugins, on the CPU. */
function run(
  contributions: ReadonlyArray<Contribution>,
  effect: Effect.Effect<void, unknown, Needs | Scope.Scope>,
): Promise<void> {
  const registered = Layer.effectDiscard(Effect.gen(function* () {
    const plugins = yield* Plugins
    for (const contribution of contributions) yield* plugins.register(contribution)
  }))
  const services = Layer.mergeAll(Wasm.layer({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.merge(registered, Llama.layer).pipe(Layer.provideMerge(services))
  return Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(all, { local: true })))
}

/** A base with random weights, and its model with these plugins over an encoding. */
async function withModel(
  contributions: ReadonlyArray<Contribution>,
  weights: BlockEncoding,
  use: (model: Model, directory: string) => Effect.Effect<void, unknown, Needs | Scope.Scope>,
): Promise<void> {
  await inDirectory(async (directory) => {
    const base = `${directory}/base`
    await run([], Effect.flatMap(initialize(config, { task, seed: 3 }), (model) => saveCheckpoint(model, base)))
    await run(contributions, Effect.flatMap(load(base, { task, weights }), (model) => use(model, directory)))
  })
}

const bytesOf = ({ backend, parameters, folded }: Model, end: string) => {
  const { key, slot } = parameters.find(({ key }) => key.endsWith(end))!
  return Effect.promise(() => backend.readEncoded((folded.get(key) ?? { slot }).slot))
}
const WEIGHT = "self_attn.q_proj.weight"

Deno.test("updates of groups go into the offsets of blocks, and all other bytes stay", () =>
  // Groups of one block and of three, two of them at one weight.
  withModel(
    [grouped("m/a", "q_proj", 8), grouped("m/b", "q_proj", 16), grouped("m/c", "down_proj", 24)],
    affine,
    (model) =>
      Effect.gen(function* () {
        const before = yield* computedLogits(model)
        const merged = yield* merge(model)
        assertEquals([...merged.folded.values()].map(({ slot }) => slot.storage), [affine, affine])
        assert(distance(yield* computedLogits(model.view({ only: [] })), before) > 1e-2)
        const size = Math.max(...before.map(Math.abs))
        assert(distance(yield* computedLogits(merged), before) < 1e-6 * size)
        assertEquals(yield* computedLogits(model), before)
        const [old, own] = [yield* bytesOf(model, WEIGHT), yield* bytesOf(merged, WEIGHT)]
        const value = (id: string) => {
          const { slot } = model.parameters.find(({ key }) => key === `${id}:model.layers.0.self_attn.q_proj.w`)!
          return Effect.promise(() => model.backend.read(slot))
        }
        const [a, b] = [yield* value("m/a"), yield* value("m/b")]
        const wanted = old.slice()
        const both = Float32Array.from(a, (delta, i) => delta + b[Math.floor(i / 2)])
        affine.affine!.addOffsets(wanted, both)
        assertEquals(own, wanted)
        assert(old.some((byte, i) => byte !== own[i]))
        assertStringIncludes(
          merged.notes.at(-1)!,
          "merged into the offsets of 2 weights in example/affine, all codes as they",
        )
        // One alone, then the other into what became of it.
        const one = yield* merge(model, ["m/a"])
        assert(distance(yield* computedLogits(one), before) < 1e-6 * size)
        assert(distance(yield* computedLogits(yield* merge(one, ["m/b", "m/c"])), before) < 1e-6 * size)
      }),
  ))

Deno.test("into f32 by request, and into a checkpoint of floats", () =>
  withModel([grouped("m/a", "q_proj", 16), full], affine, (model, directory) =>
    Effect.gen(function* () {
      const before = yield* computedLogits(model)
      const size = Math.max(...before.map(Math.abs))
      const merged = yield* merge(model, undefined, { float: true })
      assertEquals([...merged.folded.values()].map(({ slot }) => slot.storage), ["f32", "f32"])
      assert(distance(yield* computedLogits(merged), before) < 1e-6 * size)
      yield* saveMerged(model, `${directory}/merged`)
      yield* Effect.promise(() =>
        run(
          [],
          Effect.gen(function* () {
            assert(distance(yield* computedLogits(yield* load(`${directory}/merged`, { task })), before) < 1e-6 * size)
          }),
        )
      )
    })))

Deno.test("what blocks cannot hold is refused, and says what would do", async () => {
  const refusal = (contributions: ReadonlyArray<Contribution>, weights: BlockEncoding, wanted: string) =>
    withModel(contributions, weights, (model) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(merge(model))
        assertEquals((error as { readonly reason?: string }).reason, "Unsupported")
        assertStringIncludes(error.message, wanted)
      }))
  const kept = (name: string) =>
    `m/full cannot be merged into "model.layers.0.self_attn.o_proj.weight", which is kept in ` +
    `blocks of ${name}: its update is not one number for each block.`
  await refusal([full], affine, kept("example/affine"))
  await refusal([full], fixed, "into f32 (option float: true), which takes 0.00102 MB in the place of 0.000512 MB")
  await refusal([grouped("m/a", "q_proj", 16)], fixed, "is kept in blocks of example/fixed")
  // Of groups that cut blocks.
  await refusal([grouped("m/a", "q_proj", 4)], affine, "is kept in blocks of example/affine")
  await refusal([grouped("m/a", "q_proj", 8)], narrow, "an offset would be larger than example/narrow can hold")
})

Deno.test("options of a merge are checked", () =>
  withModel([full], affine, (model) =>
    Effect.gen(function* () {
      const wrong = { floats: true } as never
      assertStringIncludes((yield* Effect.flip(merge(model, undefined, wrong))).message, "floats")
    })))
