/**
 * A bank of a method that is not of this package: factors of a module's output, from numbers in a file.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Families, Model, ops, Plugins, Task, Trainer } from "@espalier/espalier"
import * as Bert from "@espalier/espalier/bert"
import { layer as wasm } from "../../core/backend/wasm/backend.ts"
import { texts, tokenizer } from "../core/training/support.ts"
import { distance } from "../support/model_layer.ts"

/** Rows without an adapter have factors 1 + 0. */
const bank = (slots: number): Model.BankMethod => ({
  id: "factors",
  slots,
  sites: () =>
    Effect.succeed([{
      select: ["output.dense"],
      plan: ({ sizes }) => ({
        place: "after",
        parameters: { factors: { shape: [sizes.outFeatures], initializer: { kind: "zeros" } } },
        forward: ({ parameter }, y) => ops.mul(y, ops.add(ops.reshape(parameter("factors"), [y.shape[0], 1, -1]), 1)),
      }),
    }]),
  read: (name, files, wanted) => {
    const factor = typeof files === "string" ? NaN : files.factor?.[0] ?? NaN
    return Number.isNaN(factor)
      ? Effect.fail(new Model.AdapterError({ reason: "Files", adapter: name, message: "there is no factor" }))
      : Effect.succeed({
        values: wanted.map((parameter) => ({ parameter, data: new Float32Array(parameter.shape[0]).fill(factor) })),
      })
  },
})

const config = {
  model_type: "bert",
  vocab_size: 300,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.3,
}
const rows = texts(5).rows.map(({ text }) => text)

Deno.test("a bank of a method from outside: each row has its adapter, however many there are", async () => {
  const numbers = (all: ReadonlyArray<Trainer.Prediction>) => all.map(({ probabilities = [] }) => [...probabilities])
  const program = Effect.gen(function* () {
    const base = yield* Model.initialize(config, { task: Task.classification(["food", "sky"]) })
    const model = yield* Model.withAdapters(base, bank(3))
    for (let factor = 0; factor < 20; factor++) yield* model.bank.load(`${factor}`, { factor: Uint8Array.of(factor) })
    const of = (adapters: ReadonlyArray<string>) =>
      Effect.map(Trainer.predict(model, rows, { tokenizer, adapters }), numbers)
    const plain = numbers(yield* Trainer.predict(base, rows, { tokenizer }))
    // Two at once share the slots.
    const both = yield* Effect.all([of(["3", "7", "", "19", "0"]), of(["11", "3", "7", "1", "2"])], { concurrency: 2 })
    for (const [i, adapters] of [["3", "7", "", "19", "0"], ["11", "3", "7", "1", "2"]].entries()) {
      for (const [row, adapter] of adapters.entries()) {
        // Alone in its batch, and on its own.
        const alone = (yield* of(rows.map(() => adapter)))[row]
        assert(distance(both[i][row], alone) < 1e-6, `row ${row} with ${adapter}`)
        if (adapter === "" || adapter === "0") assert(distance(alone, plain[row]) < 1e-6)
        else assert(distance(alone, plain[row]) > 1e-4)
      }
    }
    const { reason } = yield* Effect.flip(model.bank.load("none", {}))
    assertEquals([reason, model.bank.names.length], ["Files", 20])
    const slots = yield* Effect.flip(Model.withAdapters(base, bank(0)))
    assertEquals(slots.message, "slots must be a whole number from 1, got 0")
  })
  const platform = Layer.mergeAll(wasm({ threads: 1 }), Plugins.layer, Families.layer, NodeFileSystem.layer)
  const all = Bert.layer.pipe(Layer.provideMerge(platform))
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<void>)
})
