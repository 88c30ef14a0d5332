/**
 * Small models and adapters in memory, and what the core API makes of them.
 * @module
 */
import type { LoadOptions } from "@espalier/espalier/inference"
import { Model, type Task } from "@espalier/espalier"
import type { PluginError, Plugins } from "@espalier/espalier"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { saveTokenizer, trainBpe } from "../../../core/data/tokenizer/training/train_bpe.ts"
import { layerWith, type Services } from "../../../core/training/espalier.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { config, texts } from "../../core/training/support.ts"

/** Files by path. */
export type Disk = Map<string, Uint8Array>

/** The CPU on one thread. */
export const ONE_THREAD: LoadOptions = { backend: "wasm", wasm: { threads: 1 } }

/** Runs with the core API, over files in memory. */
export function onCore<A>(
  disk: Disk,
  program: Effect.Effect<A, unknown, Services | Scope.Scope>,
  methods: Layer.Layer<never, unknown, Plugins.Plugins | FileSystem.FileSystem> = Layer.empty,
): Promise<A> {
  const base = layerWith({ backend: "wasm", wasm: { threads: 1 }, files: disk })
  const all = Layer.mergeAll(methods, Llama.layer).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

/** A model in `model` and adapters of these names beside it. */
export async function writeModel(task: Task, names: ReadonlyArray<string>): Promise<Disk> {
  const disk: Disk = new Map()
  await onCore(
    disk,
    Effect.gen(function* () {
      yield* Model.saveCheckpoint(yield* Model.initialize(config, { task, seed: 1 }), "model")
      yield* saveTokenizer("model", trainBpe(texts(60).rows.map(({ text }) => text), { vocabSize: 300 }))
    }),
  )
  for (const [i, name] of names.entries()) {
    const method = Lora.layer({ r: 2 + i, loraAlpha: 6, targetModules: "all-linear", initLoraWeights: false })
    await onCore(
      disk,
      Effect.flatMap(
        Model.load("model", { task, seed: 5 + i, head: "new" }),
        (model) => Model.saveAdapters(model, name),
      ),
      method as Layer.Layer<never, PluginError, Plugins.Plugins>,
    )
  }
  return disk
}

/** Files of a folder by name. */
export const filesOf = (disk: Disk, folder: string): Record<string, Uint8Array> =>
  Object.fromEntries(
    [...disk].filter(([path]) => path.startsWith(`${folder}/`)).map(([path, bytes]) => [
      path.slice(folder.length + 1),
      bytes,
    ]),
  )

/** The pieces of a text, joined. */
export async function joined(pieces: AsyncIterable<string>): Promise<string> {
  let text = ""
  for await (const piece of pieces) text += piece
  return text
}
