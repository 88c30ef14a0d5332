/**
 * Files of a small run.
 * @module
 */
import type { FineTuneOptions } from "@espalier/espalier/promise"
import type { RunSpec } from "@espalier/espalier/run"
import * as Effect from "effect/Effect"
import { saveTokenizer, trainBpe } from "../../core/data/tokenizer/training/train_bpe.ts"
import { saveCheckpoint } from "../../core/model/mod.ts"
import { languageModel, texts } from "../core/training/support.ts"
import { run } from "./model_layer.ts"

/** The CPU on one thread. */
export const ON_ONE_THREAD: FineTuneOptions = { backend: "wasm", wasm: { threads: 1 } }

/** Writes `model` and `own.csv`, labelled texts; gives a run over them. */
export async function makeFiles(directory: string): Promise<RunSpec> {
  const model = `${directory}/model`
  await run(Effect.gen(function* () {
    yield* saveCheckpoint(yield* languageModel(), model)
    yield* saveTokenizer(model, trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
  }))
  const { labels, rows } = texts(96)
  const lines = rows.map(({ text, label }, i) => `${text} ${i},${labels[label]}`)
  await Deno.writeTextFile(`${directory}/own.csv`, ["text,label", ...lines].join("\n"))
  return {
    model: { path: model },
    data: { path: `${directory}/own.csv` },
    methods: [{ method: "lora", r: 2 }],
    training: { epochs: 2, learningRate: 1e-2, maxLength: 24 },
    output: `${directory}/out`,
  }
}
