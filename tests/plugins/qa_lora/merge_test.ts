/**
 * What QA-LoRA adds by its formula, and the merged model beside it: codes and scales bit by bit, logits.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { load, merge, type Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import type { BlockEncoding } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as QaLora from "../../../plugins/qa_lora/mod.ts"
import * as Quantization from "../../../plugins/quantization/mod.ts"
import { distance } from "../../support/model_layer.ts"
import { type Base, onWasm, shake, writeModel } from "../../support/on_wasm.ts"
import { computedLogits, inDirectory } from "../files.ts"

const GROUP = 32
const grouped = Quantization.layer({ format: "grouped", bits: 4, groupSize: GROUP })
const q4 = Quantization.layer({ format: "q4_1" }) as typeof grouped
const task = Task.causalLM()

/** A model over a quantization with an adapter whose numbers are not zero. */
function withAdapter(
  quantization: typeof grouped,
  options: QaLora.QaLoraOptions,
  use: (model: Model) => Effect.Effect<void, unknown, Base | Scope.Scope>,
  more: Layer.Layer<never, unknown, Base> = Layer.empty as Layer.Layer<never>,
): Promise<void> {
  return inDirectory(async (directory) => {
    await writeModel(directory)
    const methods = QaLora.layer({ r: 4, loraAlpha: 8, ...options }).pipe(Layer.provideMerge(quantization))
    await onWasm(
      Effect.gen(function* () {
        const model = yield* load(directory, { task })
        yield* shake(model, 0.05)
        yield* use(model)
      }),
      Layer.merge(methods, more),
    )
  })
}

const slotOf = ({ parameters, folded }: Model, key: string) =>
  (folded.get(key) ?? parameters.find((parameter) => parameter.key === key)!).slot
const read = (model: Model, key: string) =>
  Effect.promise(() => model.backend.read(slotOf(model, key))) as Effect.Effect<Float32Array>
const bytes = (model: Model, key: string) => Effect.promise(() => model.backend.readEncoded(slotOf(model, key)))
/** Distance of numbers, relative to their size. */
const apart = (own: Float32Array, wanted: Float32Array) =>
  Math.hypot(...own.map((value, i) => value - wanted[i])) / Math.hypot(...wanted)
const FACTORS: Readonly<Record<QaLora.GroupPooling, (groups: number) => number>> = {
  sum: () => 1,
  mean: () => 1 / GROUP,
  peft: (groups) => groups / GROUP,
}
/** For which updates are of one size. */
const ALPHAS: Readonly<Record<QaLora.GroupPooling, number>> = { sum: 8, mean: 256, peft: 128 }
const isQuantized = ({ slot }: Model["parameters"][number]) => encodingOf(slot.storage).block > 1

for (const pooling of ["sum", "mean", "peft"] as const) {
  Deno.test(`the merged model is the trained one, pooling "${pooling}"`, () =>
    withAdapter(grouped, { pooling, loraAlpha: ALPHAS[pooling] }, (model) =>
      Effect.gen(function* () {
        const before = yield* computedLogits(model)
        assert(apart(yield* computedLogits(model.view({ only: [] })), before) > 1e-2)
        const merged = yield* merge(model)
        const off = apart(yield* computedLogits(merged), before)
        // Both round their sums of 2 layers in f32; the offsets themselves are compared below.
        assert(off <= 2e-6, `${off}`)
        const quantized = model.parameters.filter(isQuantized)
        assertEquals(quantized.length, 14)
        for (const { key, module, shape: [rows, columns] } of quantized) {
          const [base, weight] = [yield* read(model, key), yield* read(merged, key)]
          const [a, b] = [
            yield* read(model, `qa-lora/default:${module}.lora_A`),
            yield* read(model, `qa-lora/default:${module}.lora_B`),
          ]
          const groups = columns / GROUP, scale = ALPHAS[pooling] / 4 * FACTORS[pooling](groups)
          const wanted = base.map((value, i) => {
            const row = Math.floor(i / columns), group = Math.floor(i % columns / GROUP)
            let sum = 0
            for (let k = 0; k < 4; k++) sum += b[row * 4 + k] * a[k * groups + group]
            return value + scale * sum
          })
          assert(distance(weight, wanted) < 1e-6, `${key}: ${distance(weight, wanted)}`)
          assert(distance(weight, base) > 1e-4)
          assertEquals(wanted.length, rows * columns)
        }
      })))
}

/** Byte places of offsets in a block; all others must stay. */
async function assertCodesStay(quantization: typeof grouped, offsetBytes: ReadonlyArray<number>): Promise<void> {
  await withAdapter(quantization, {}, (model) =>
    Effect.gen(function* () {
      const merged = yield* merge(model)
      for (const { key, slot } of model.parameters.filter(isQuantized)) {
        const { blockBytes, affine } = encodingOf(slot.storage) as BlockEncoding
        const [old, own] = [yield* bytes(model, key), yield* bytes(merged, key)]
        const changed = new Set(Array.from(old.keys()).filter((i) => old[i] !== own[i]).map((i) => i % blockBytes))
        assert(changed.size > 0)
        assertEquals([...changed].filter((place) => !offsetBytes.includes(place)), [], key)
        assert(affine!.offsets(own).every(Number.isFinite))
      }
    }))
}
Deno.test("codes and scales keep their bits, in groups of f32", () => assertCodesStay(grouped, [4, 5, 6, 7]))
Deno.test("codes and scales keep their bits, in Q4_1", () => assertCodesStay(q4, [2, 3]))

Deno.test("over Q4_1 offsets are rounded to halves, which the merged model says", () =>
  withAdapter(q4, {}, (model) =>
    Effect.gen(function* () {
      const before = yield* computedLogits(model)
      const exact = apart(yield* computedLogits(yield* merge(model, undefined, { float: true })), before)
      assert(exact <= 3e-6, `${exact}`)
      const merged = yield* merge(model)
      const off = apart(yield* computedLogits(merged), before)
      assert(off > 1e-5 && off < 2e-3, `${off}`)
      const said = /changed by at most (\S+) and were rounded by at most (\S+)$/.exec(merged.notes.at(-1)!)!
      assertStringIncludes(merged.notes.at(-1)!, "qa-lora/default: merged into the offsets of 14 weights in Q4_1")
      let worst = 0
      for (const { key, slot } of model.parameters.filter(isQuantized)) {
        const { affine } = encodingOf(slot.storage) as BlockEncoding
        const [old, own] = [yield* bytes(model, key), yield* bytes(merged, key)]
        // Halves are within 2^-12 of their size.
        affine!.offsets(own).forEach((offset) => worst = Math.max(worst, Math.abs(offset) * 2 ** -11))
        assertEquals(old.length, own.length)
      }
      assert(Number(said[2]) > 0 && Number(said[2]) <= worst, `${said}`)
    })))

Deno.test("groups of several blocks, two adapters, and LoRA beside it", () =>
  withAdapter(
    Quantization.layer({ format: "grouped", bits: 8, groupSize: 8 }) as typeof grouped,
    {},
    (model) =>
      Effect.gen(function* () {
        const before = yield* computedLogits(model)
        assertStringIncludes(
          (yield* Effect.flip(merge(model))).message,
          "lora/default cannot be merged into",
        )
        const near = (other: Model) =>
          Effect.map(
            computedLogits(other),
            (logits) => assert(apart(logits, before) <= 2e-6, `${apart(logits, before)}`),
          )
        yield* near(yield* merge(model, ["qa-lora"]))
        yield* near(yield* merge(model, undefined, { float: true }))
        assert(apart(yield* computedLogits(model.view({ without: ["lora"] })), before) > 1e-3)
      }),
    Layer.effectDiscard(Effect.void).pipe(Layer.provide(Lora.layer({ r: 2, targetModules: ["q_proj"] }))),
  ))
