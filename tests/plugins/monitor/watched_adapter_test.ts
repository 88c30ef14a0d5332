/**
 * A monitor of one adapter of a bank, with the profile that its own run left.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { initialize, withAdapters } from "../../../core/inference/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { observe, type Profile, profile, watched } from "../../../plugins/monitor/mod.ts"
import * as Server from "../../../plugins/server/mod.ts"
import { texts, tokenizer } from "../../core/training/support.ts"
import { distance } from "../../support/model_layer.ts"
import { onWasm } from "../../support/on_wasm.ts"
import { inDirectory } from "../files.ts"
import { pair, random, writeAdapter } from "../lora/adapters.ts"
import { SMALL_BERT, VALUE, WIDTH } from "../lora/small_bert.ts"

const options = { tokenizer, maxLength: 24 }
const data = texts(60)
const rows = data.rows.map(({ text }) => text)
const open = initialize(SMALL_BERT, { task: Task.classification(data.labels), seed: 5 })

async function writeClassifier(path: string): Promise<void> {
  const own = { task_type: "SEQ_CLS", r: 2, lora_alpha: 8, target_modules: ["value"], modules_to_save: ["classifier"] }
  await writeAdapter(path, own, {
    ...pair(VALUE, WIDTH, 2, WIDTH, 3),
    "classifier.weight": random([2, WIDTH], 4),
    "classifier.bias": random([2], 5),
  })
}

Deno.test("what an adapter of a bank answers is compared with embeddings that went through it", () =>
  inDirectory(async (directory) => {
    await writeClassifier(`${directory}/own`)
    const tuned = Layer.mergeAll(Bert.layer, Lora.fromPeft(`${directory}/own`))
    const reference: Profile = await onWasm(Effect.flatMap(open, (model) => profile(model, data, options)), tuned)
    await onWasm(
      Effect.gen(function* () {
        const model = yield* withAdapters(yield* open, Lora.bank({ slots: 1, rank: 2, targets: ["value"] }))
        yield* model.bank.load("own", `${directory}/own`)
        const adapters = rows.map(() => "own")
        const embedded = (adapted: boolean) =>
          Effect.map(
            observe(model, rows, { ...options, adapters, adapted }),
            (all) =>
              distance(
                all.flatMap(({ observation }) => [...observation.embedding!]),
                reference.sample.embeddings!.values,
              ),
          )
        assert((yield* embedded(true)) < 1e-4)
        assert((yield* embedded(false)) > 1e-2)
        const served = yield* Server.classifier(model, { name: "filter", ...options })
        const watch = { adapter: "own", tokenizer, window: 15, judgedWindow: 15, resamples: 1000 }
        const one = yield* watched(served, model, reference, watch)
        yield* one.served.classifies!(rows.slice(0, 15), "own")
        for (let i = 0; i < 500 && one.windows().length === 0; i++) yield* Effect.sleep(10)
        assertEquals(one.windows().map((event) => event.type === "window" && event.report.alarms), [[]])
      }),
      Bert.layer,
    )
  }))
