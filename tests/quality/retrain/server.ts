/**
 * Answers the stream of `retrain.ts` with a real model, watches it, and retrains on an alarm: what a server does around a
 * monitor. It may be killed at any moment. Arguments: the folder that `retrain.ts` has made.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Monitor from "@espalier/espalier/monitor"
import { BASE, BATCH, COMMAND, LABELS, LORA, MAX_LENGTH, RUN, WINDOW } from "./settings.ts"

const [folder] = Deno.args

const program = Effect.gen(function* () {
  const open = Model.load(BASE, { task: Task.classification(LABELS), seed: 1 })
  // One serves, the other judges candidates.
  const [model, judge] = [yield* open, yield* open]
  const folders = new Map<string, string>()
  const one = yield* Monitor.retrainer({
    folder: `${folder}/monitor`,
    first: { name: "first", folder: `${folder}/first/adapter` },
    target: {
      load: (name, path) => Effect.sync(() => void folders.set(name, path)),
      serve: (name) => Model.loadAdapters(model, folders.get(name)!),
    },
    run: { ...RUN, replay: { old: { path: `${folder}/old.jsonl` } } },
    labels: LABELS,
    heldOut: `${folder}/held_out.jsonl`,
    train: Monitor.childRun({ command: COMMAND }),
    score: Monitor.scorer(judge, { maxLength: MAX_LENGTH }),
    fewest: 200,
    watch: 80,
  })
  const profile = yield* Monitor.loadProfile(`${folder}/profile`)
  const monitor = yield* Monitor.monitor(profile, { window: WINDOW, falseAlarms: 0.01 })
  const live = yield* Dataset.jsonLines(`${folder}/live.jsonl`, { text: "text", label: "label" }, { labels: LABELS })
  console.log("open")
  yield* one.advance
  while (one.rows.length < live.rows.length) {
    const rows = live.rows.slice(one.rows.length, one.rows.length + BATCH)
    const answered = yield* Monitor.observe(model, rows.map(({ text }) => text), { maxLength: MAX_LENGTH })
    yield* one.report(monitor.observe(answered.map(({ observation }) => observation)))
    const by = one.state().serving.name
    yield* one.collect(rows.map(({ text, label }, i) => ({
      text,
      label: LABELS[label],
      predicted: answered[i].prediction!.label,
      by,
    })))
    console.log(`rows ${one.rows.length}`)
    yield* one.advance
  }
  Deno.writeTextFileSync(
    `${folder}/monitor.html`,
    Monitor.monitorPage({ title: "Spam", events: one.events, thresholds: monitor.thresholds }),
  )
})

const { method: _, ...lora } = LORA
const Methods = Layer.merge(Lora.layer(lora), Llama.layer).pipe(
  Layer.provideMerge(Espalier.layerWith({ backend: "wasm", wasm: { threads: 1 } })),
)
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Methods)))
