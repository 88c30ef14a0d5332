/**
 * Classifiers of one batch with adapters and heads of their own.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { initialize, withAdapters } from "../../../core/inference/mod.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import type { Model } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import type { Prediction } from "../../../core/tasks/task.ts"
import { predict } from "../../../core/training/evaluate.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { texts, tokenizer } from "../../core/training/support.ts"
import { distance } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { pair, random, writeAdapter } from "./adapters.ts"
import { SMALL_BERT, VALUE, WIDTH } from "./small_bert.ts"

const rows = texts(6).rows.map(({ text }) => text)

type Plugin = Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>

/** Runs with a classifier of so many classes, whose trunk is always the same. */
function withClassifier<A>(
  labels: ReadonlyArray<string>,
  use: (model: Model) => Effect.Effect<A, unknown, FileSystem.FileSystem | import("effect/Scope").Scope>,
  plugins: Plugin = Layer.empty,
): Promise<A> {
  const base = Layer.mergeAll(wasm({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.merge(plugins, Bert.layer).pipe(Layer.provideMerge(base))
  const program = Effect.flatMap(initialize(SMALL_BERT, { task: Task.classification(labels), seed: 5 }), use)
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

/** Writes an adapter with a head of so many classes. */
async function writeClassifier(path: string, classes: number, r: number): Promise<void> {
  const own = { task_type: "SEQ_CLS", r, lora_alpha: 4, target_modules: ["value"], modules_to_save: ["classifier"] }
  await writeAdapter(path, own, {
    ...pair(VALUE, WIDTH, r, WIDTH, classes),
    "classifier.weight": random([classes, WIDTH], classes + 2),
    "classifier.bias": random([classes], classes + 3),
  })
}

const LABELS = { two: ["no", "yes"], three: ["a", "b", "c"], four: ["a", "b", "c", "d"] }
const numbers = ({ probabilities = [] }: Prediction) => [...probabilities]

Deno.test("rows of one batch have adapters, heads and labels of their own", () =>
  inDirectory(async (directory) => {
    await writeClassifier(`${directory}/two`, 2, 3)
    await writeClassifier(`${directory}/three`, 3, 2)
    const alone = new Map<string, ReadonlyArray<Prediction>>()
    for (const name of ["two", "three"] as const) {
      const plugin = Lora.fromPeft(`${directory}/${name}`) as unknown as Plugin
      alone.set(name, await withClassifier(LABELS[name], (model) => predict(model, rows, { tokenizer }), plugin))
    }
    alone.set("", await withClassifier(LABELS.four, (model) => predict(model, rows, { tokenizer })))
    await withClassifier(LABELS.four, (base) =>
      Effect.gen(function* () {
        const model = yield* withAdapters(base, Lora.bank({ slots: 2, rank: 4, targets: ["query", "value"] }))
        yield* model.bank.load("two", `${directory}/two`, { labels: LABELS.two })
        yield* model.bank.load("three", `${directory}/three`, { labels: LABELS.three })
        yield* model.bank.load("plain", `${directory}/three`)
        const adapters = ["two", "three", "", "two", "plain", ""]
        const found = yield* predict(model, rows, { tokenizer, adapters })
        for (const [i, adapter] of adapters.entries()) {
          const expected = alone.get(adapter === "plain" ? "three" : adapter)![i]
          assert(distance(numbers(found[i]), numbers(expected)) < 1e-5, `row ${i}: ${numbers(found[i])}`)
          if (adapter !== "plain") assertEquals(found[i].label, expected.label)
        }
        assertEquals(found[4].label, `LABEL_${LABELS.three.indexOf(alone.get("three")![4].label)}`)
        // The bank is not in the way of rows without one.
        assertEquals((yield* predict(model, rows, { tokenizer })).map(numbers), alone.get("")!.map(numbers))
        for (
          const [options, message] of [
            [{ adapters: ["two"] }, "adapters must name one for each of 6 rows, got 1"],
            [{ adapters: rows.map(() => "five") }, 'no adapter "five"; there are two, three, plain'],
          ] as const
        ) {
          const error = yield* Effect.flip(predict(model, rows, { tokenizer, ...options }))
          assertStringIncludes(error.message, message)
        }
        const wrong = yield* Effect.flip(model.bank.load("named", `${directory}/two`, { labels: LABELS.three }))
        assertStringIncludes(wrong.message, 'adapter "named" has a head of 2 classes, and labels names 3')
      }))
  }))

Deno.test("a bank refuses heads that are larger than the model's, and what it has no room for", () =>
  inDirectory(async (directory) => {
    await writeClassifier(`${directory}/large`, 5, 2)
    await withClassifier(LABELS.four, (base) =>
      Effect.gen(function* () {
        const model = yield* withAdapters(base, Lora.bank({ slots: 1, rank: 2, targets: ["query"] }))
        const { reason, message } = yield* Effect.flip(model.bank.load("large", `${directory}/large`))
        assertEquals(reason, "Targets")
        assertStringIncludes(
          message,
          "it adapts bert.encoder.layer.0.attention.self.value; the bank has room for query",
        )
        const other = yield* withAdapters(base, Lora.bank({ slots: 1, rank: 2 }))
        const size = yield* Effect.flip(other.bank.load("large", `${directory}/large`))
        assertEquals(size.reason, "Size")
        assertStringIncludes(size.message, "its head has 5 classes, the model's has 4")
        assertEquals(other.bank.names, [])
        const without = yield* Effect.flip(predict(base, rows, { tokenizer, adapters: rows.map(() => "large") }))
        assertStringIncludes(without.message, "adapters needs a model with a bank of them")
      }))
  }))
