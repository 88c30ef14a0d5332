/**
 * What a directory is that holds no model to be read: looked up, so that the error says what to do.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../files/file_system.ts"
import { StorageError } from "../files/storage_error.ts"

const ADAPTER = "adapter_config.json"

/** How transformers writes what it reads as safetensors. */
const converted = (how: string) =>
  `convert it once in Python: AutoModel...from_pretrained(DIRECTORY${how}).save_pretrained(OTHER)`

/** Kinds of weights that are not read here, by the names of their files. */
const OTHER_WEIGHTS: ReadonlyArray<readonly [names: RegExp, what: string]> = [
  [/^consolidated.*\.(safetensors|pth)$/, "the maker's own layout: take the model as transformers has it"],
  [/^pytorch_model.*\.bin$/, `a PyTorch archive: ${converted("")}`],
  [
    /\.(bin|pt|pth|ckpt)$/,
    `a PyTorch archive, maybe of a whole training run: load it in Python, and save_pretrained(OTHER)`,
  ],
  [/\.(h5|ckpt\.index)$/, `TensorFlow's: ${converted(", from_tf=True")} (transformers 4)`],
  [/\.msgpack$/, `Flax's: ${converted(", from_flax=True")} (transformers 4)`],
  [/\.(npz|onnx|mlmodel)$/, "of another program: take the model as transformers has it"],
  [/^model-\d+-of-\d+\.safetensors$/, "shards, but model.safetensors.index.json lacks, which lists them: fetch it"],
  [/\.safetensors$/, "not under the name that is looked for: call it model.safetensors if it is the whole model"],
]

/** Why a directory holds no weights that can be read here. */
export function explainWeights(directory: string): Effect.Effect<string, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const names = yield* namesIn(directory)
    const adapter = yield* adapterIn(directory, names)
    if (adapter !== undefined) return adapter
    for (const [pattern, what] of OTHER_WEIGHTS) {
      const name = names.find((name) => pattern.test(name))
      if (name !== undefined) return `; it holds ${name}, which is ${what}`
    }
    return ""
  })
}

/** The error for a directory without `config.json`, with what it holds in its place. */
export function explainConfig(
  error: StorageError,
  directory: string,
): Effect.Effect<StorageError, never, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const type = yield* fs.stat(directory).pipe(Effect.map(({ type }) => type), Effect.orElseSucceed(() => "None"))
    const { reason } = error
    if (type === "None") {
      const hub = /^(hf:)?[\w.-]+\/[\w.-]+(@|$)/.test(directory)
        ? " (a model on a hub is named hf:owner/name, and needs the layer of @espalier/espalier/hub)"
        : ""
      return reason === "NotFound" ? new StorageError({ ...error, reason, message: `${error.message}${hub}` }) : error
    }
    const names = yield* namesIn(directory)
    const what = type === "File"
      ? "; it is a file: give the directory that it lies in, or a GGUF file"
      : (yield* adapterIn(directory, names)) ?? inside(names) ?? (yield* explainWeights(directory))
    if (reason !== "NotFound" && type !== "File") return error
    const message = `"${directory}" holds no config.json${what}`
    return new StorageError({ reason: "NotFound", path: error.path, message, cause: error })
  })
}

function namesIn(directory: string): Effect.Effect<ReadonlyArray<string>, never, FileSystem.FileSystem> {
  return Effect.flatMap(fileSystem, (fs) => fs.readDirectory(directory)).pipe(
    Effect.map((names) => [...names].sort()),
    Effect.orElseSucceed(() => []),
  )
}

/** What is said of a directory that holds an adapter in a model's place. */
function adapterIn(
  directory: string,
  names: ReadonlyArray<string>,
): Effect.Effect<string | undefined, never, FileSystem.FileSystem> {
  if (!names.includes(ADAPTER)) return Effect.succeed(undefined)
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const text = yield* fs.readFileString(`${directory}/${ADAPTER}`).pipe(Effect.orElseSucceed(() => ""))
    const base = /"(?:base_model_name_or_path|model_name)"\s*:\s*("(?:[^"\\]|\\.)+")/.exec(text)?.[1]
    return `; it is an adapter, not a model: load the model that it was made for${
      base === undefined ? "" : `, ${base},`
    } and the adapter with its method`
  })
}

/** Directories of runs and of caches hold models further inside. */
function inside(names: ReadonlyArray<string>): string | undefined {
  const run = names.filter((name) => /^checkpoint-\d+$/.test(name)).at(-1)
  if (run !== undefined) return `; a model may lie in ${run}`
  return names.includes("snapshots") ? "; it is a cache: a model lies in a directory of snapshots" : undefined
}
