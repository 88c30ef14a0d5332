/**
 * A retrain without models: an adapter is a folder with a number, its quality, which is its score and its share of right answers.
 * @module
 */
import * as Effect from "effect/Effect"
import type { JudgedRow, RetrainOptions } from "../../../plugins/monitor/mod.ts"
import { LABELS } from "./samples.ts"

/** What a fake target was told, and what it has. */
export interface FakeTarget {
  readonly loaded: Map<string, string>
  serving: string | undefined
  readonly target: RetrainOptions["target"]
}

/** A target that refuses adapters that are not whole. `broken`: names that it does not take. */
export function fakeTarget(broken: ReadonlyArray<string> = []): FakeTarget {
  const made: FakeTarget = {
    loaded: new Map(),
    serving: undefined,
    target: {
      load: (name, folder) =>
        Effect.try({
          try: () => {
            if (broken.includes(name)) throw new Error(`"${name}" has another rank`)
            qualityOf(folder)
            made.loaded.set(name, folder)
          },
          catch: (error) => error,
        }),
      serve: (name) =>
        Effect.suspend(() => {
          if (!made.loaded.has(name)) return Effect.fail(new Error(`"${name}" is not loaded`))
          made.serving = name
          return Effect.void
        }),
    },
  }
  return made
}

export const qualityOf = (folder: string): number => Number(Deno.readTextFileSync(`${folder}/quality`))

/** An adapter of this quality. */
export function writeAdapter(folder: string, quality: number): void {
  Deno.mkdirSync(`${folder}.part`, { recursive: true })
  Deno.writeTextFileSync(`${folder}.part/quality`, String(quality))
  Deno.renameSync(`${folder}.part`, folder)
}

/** Options over a folder with a first adapter; the run makes one of `quality`. */
export function optionsIn(
  folder: string,
  target: FakeTarget,
  { quality = 0.9, ...more }: Partial<RetrainOptions> & { readonly quality?: number } = {},
): RetrainOptions {
  try {
    writeAdapter(`${folder}/first`, 0.5)
  } catch {
    // A restart finds it.
  }
  return {
    folder: `${folder}/monitor`,
    first: { name: "first", folder: `${folder}/first` },
    target: target.target,
    run: {
      model: { path: `${folder}/model` },
      methods: [{ method: "lora" }],
      replay: { old: { path: "old.csv" } },
      output: "unused",
    },
    labels: LABELS,
    heldOut: `${folder}/held_out.csv`,
    train: (file) =>
      Effect.sync(() => {
        const { output } = JSON.parse(Deno.readTextFileSync(file))
        Deno.mkdirSync(output)
        writeAdapter(`${output}/adapter`, quality)
      }),
    score: (adapter) => Effect.sync(() => qualityOf(adapter)),
    fewest: 10,
    watch: 12,
    ...more,
  }
}

/** Judged answers of an adapter, of which this share is right, from row `from` on. */
export const rowsBy = (by: string, count: number, right: number, from = 0): ReadonlyArray<JudgedRow> =>
  Array.from({ length: count }, (_, i) => ({
    text: `text ${from + i}`,
    label: LABELS[(from + i) % 2],
    predicted: LABELS[(from + i + (i < right * count ? 0 : 1)) % 2],
    by,
  }))

/** Row of a stream; an adapter answers a share of the rows right that is its quality. */
export const streamed = (i: number, by: string, quality: number): JudgedRow => ({
  text: `text ${i}`,
  label: LABELS[i % 2],
  predicted: LABELS[(i + (i * 7 % 10 < 10 * quality ? 0 : 1)) % 2],
  by,
})
