/**
 * Directories of models that differ from a fixture in names, numbers or config.
 * @module
 */
import * as Effect from "effect/Effect"
import { openModel, readTensor } from "../../../core/formats/safetensors/checkpoint.ts"
import { load, type LoadOptions, type Model } from "../../../core/model/mod.ts"
import { encodeTensors, type FileTensor } from "../../../plugins/peft_format/mod.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits } from "../../plugins/files.ts"

/** Tensors by name. */
export type Tensors = Map<string, FileTensor>

/** What to change before a model is loaded. */
export interface Change {
  readonly config?: Readonly<Record<string, unknown>>
  readonly tensors?: (tensors: Tensors) => Tensors | void
}

/** Tensors of a fixture. */
export const tensorsOf = (name: string): Promise<Tensors> =>
  run(Effect.gen(function* () {
    const tensors: Tensors = new Map()
    for (const [key, entry] of (yield* openModel(fixture(name))).tensors) {
      const data = new Float32Array(entry.shape.reduce((product, size) => product * size, 1))
      yield* readTensor(entry, (part, offset) => data.set(part, offset))
      tensors.set(key, { shape: entry.shape, data })
    }
    return tensors
  }))

async function changed(name: string, change: Change, use: (directory: string) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    const config = JSON.parse(Deno.readTextFileSync(fixture(`${name}/config.json`)))
    Deno.writeTextFileSync(`${directory}/config.json`, JSON.stringify({ ...config, ...change.config }))
    const tensors = await tensorsOf(name)
    Deno.writeFileSync(`${directory}/model.safetensors`, encodeTensors(change.tensors?.(tensors) ?? tensors))
    await use(directory)
  })
}

/** Loads a changed fixture: logits of a row, and the model. */
export async function loaded(
  name: string,
  options: LoadOptions,
  change: Change = {},
  use: (model: Model, backend: MemoryBackend) => void = () => {},
): Promise<{ readonly logits: ArrayLike<number>; readonly notes: ReadonlyArray<string> }> {
  let result: { logits: ArrayLike<number>; notes: ReadonlyArray<string> } | undefined
  await changed(name, change, (directory) => {
    const backend = memoryBackend()
    return run(
      Effect.map(load(directory, options), (model) => {
        result = { logits: logits(model, backend), notes: model.notes }
        use(model, backend)
      }),
      undefined,
      backend,
    )
  })
  return result!
}

/** The error of loading a changed fixture, without the name of its directory. */
export async function refused(name: string, options: LoadOptions, change: Change): Promise<string> {
  let message = ""
  await changed(name, change, async (directory) => {
    message = (await failure(load(directory, options))).message.replaceAll(directory, "m")
  })
  return message
}
