/**
 * Weights and config of a GGUF file, under Hugging Face's names.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../contracts/attempt.ts"
import { fileSystem } from "../../formats/files/file_system.ts"
import { StorageError } from "../../formats/files/storage_error.ts"
import { GgufError } from "../../formats/gguf/gguf_error.ts"
import { ggufAt, type GgufFile, openGguf, readRows } from "../../formats/gguf/gguf_file.ts"
import type { GgufTensor } from "../../formats/gguf/gguf_header.ts"
import { plainMetadata } from "../../formats/gguf/plain_metadata.ts"
import { JsonError } from "../../formats/json/json_error.ts"
import { ConfigReader } from "../../formats/json/model_config.ts"
import { isFloatDType, isStoredDType } from "../../formats/safetensors/stored_dtype.ts"
import { ShapeError } from "../../tensor/shape_error.ts"
import type { FormatError, FormatFamily } from "../checkpoint_format.ts"
import { decodeRows, type PackedRows } from "../packed_rows.ts"
import type { StoredTensor } from "../stored_tensor.ts"
import { asInModel, ignoredNames } from "../weight_map.ts"
import { matchName } from "../name_pattern.ts"
import type { GgufDialect } from "./gguf_dialect.ts"

export { holdsGguf } from "../../formats/gguf/gguf_file.ts"

/** A file with what its family says of it. */
interface Read {
  readonly file: GgufFile
  readonly dialect: GgufDialect
  /** By their names in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** The content of a `config.json`. */
  readonly record: Readonly<Record<string, unknown>>
}

/** The content of a `config.json`. */
export function readConfig(
  path: string,
  families: ReadonlyArray<FormatFamily>,
): Effect.Effect<Readonly<Record<string, unknown>>, FormatError, FileSystem.FileSystem> {
  return Effect.map(read(path, families), ({ record }) => record)
}

/** The tensors, under Hugging Face's names and in its layouts. */
export function openTensors(
  path: string,
  families: ReadonlyArray<FormatFamily>,
): Effect.Effect<ReadonlyMap<string, StoredTensor>, FormatError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { file, dialect, tensors, record } = yield* read(path, families)
    yield* checkVocabulary(file, record)
    const map = yield* attempt(() => dialect.weights(new ConfigReader(file.path, record)), JsonError)
    const unused = ignoredNames(map)
    const used = new Map([...tensors].filter(([name]) => !unused.some((one) => matchName(one, name) !== undefined)))
    const made = (tensor: object, [{ dtype }]: ReadonlyArray<StoredTensor>) => ({ ...tensor, dtype } as StoredTensor)
    return yield* attempt(() => asInModel(map, used, made), ShapeError).pipe(
      Effect.mapError(({ message }) =>
        new GgufError({
          reason: "Shape",
          file: file.path,
          message: `the tensors in "${file.path}" do not fit the model: ${message}`,
        })
      ),
    )
  })
}

function read(
  path: string,
  families: ReadonlyArray<FormatFamily>,
): Effect.Effect<Read, FormatError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const own = yield* ggufAt(path)
    const file = yield* openGguf(own ?? path)
    const fields = new ConfigReader(file.path, plainMetadata(file.metadata))
    yield* checkKind(fields)
    const { architecture, dialect } = yield* dialectOf(fields, families)
    const fs = yield* fileSystem
    const tensors = new Map([...file.tensors].map(([name, tensor]) => [name, storedTensor(file.path, tensor, fs)]))
    const record = yield* Effect.tryPromise({
      try: () => dialect.config(fields, tensors),
      catch: (cause) => cause,
    }).pipe(
      Effect.catch((cause) =>
        cause instanceof JsonError || cause instanceof GgufError || cause instanceof StorageError
          ? Effect.fail(cause)
          : Effect.die(cause)
      ),
    )
    const left = fields.unread().filter((name) => name.startsWith(`${architecture}.`))
    if (left.length > 0) {
      const what = `${left.join(", ")}: not known here, and may change what the model computes`
      return yield* refused(file.path, "Unexpected", `${what}: take another file of the model, or safetensors`)
    }
    return { file, dialect, tensors, record }
  })
}

/** Fails on files that are not a whole model. */
function checkKind(fields: ConfigReader): Effect.Effect<void, GgufError | JsonError> {
  return Effect.gen(function* () {
    const { file } = fields
    const [type, parts] = yield* fields.decode((fields) =>
      [
        fields.string("general.type", { default: "model" }),
        fields.integer("split.count", { default: 1, min: 0 }),
      ] as const
    )
    if (type !== "model") {
      return yield* refused(file, "Unexpected", `it holds no model: its general.type is ${JSON.stringify(type)}`)
    }
    if (parts < 2) return
    const what = `it is one of ${parts} parts of a model: join them with gguf-split --merge`
    return yield* refused(file, "Unexpected", what)
  })
}

/** The dialect of the file's architecture. */
function dialectOf(fields: ConfigReader, families: ReadonlyArray<FormatFamily>) {
  return Effect.gen(function* () {
    const architecture = yield* fields.decode((fields) => fields.string("general.architecture"))
    const known = families.flatMap(({ gguf = {} }) => Object.entries(gguf))
    const load = known.find(([name]) => name === architecture)?.[1]
    if (load !== undefined) return { architecture, dialect: yield* Effect.promise(load) }
    const names = known.length === 0
      ? "no registered model family reads GGUF: provide the layer of one"
      : `known: ${known.map(([name]) => name).sort().join(", ")}`
    return yield* refused(fields.file, "Unexpected", `unknown general.architecture "${architecture}"; ${names}`)
  })
}

/** Fails where the tokenizer in the file has other tokens than the embedding has rows. */
function checkVocabulary(
  { path, metadata }: GgufFile,
  { vocab_size: rows }: Readonly<Record<string, unknown>>,
): Effect.Effect<void, GgufError> {
  const tokens = metadata.get("tokenizer.ggml.tokens")
  if (tokens?.type !== "array" || tokens.value.items.length === rows) return Effect.void
  const what = `its tokenizer has ${tokens.value.items.length} tokens, its embedding ${rows} rows: ` +
    "they are not of one model"
  return refused(path, "Shape", what)
}

const refused = (file: string, reason: GgufError["reason"], what: string) =>
  Effect.fail(new GgufError({ reason, file, message: `"${file}": ${what}` }))

function storedTensor(path: string, tensor: GgufTensor, fs: FileSystem.FileSystem): StoredTensor {
  const { name, shape, type } = tensor
  const packed: PackedRows = {
    encoding: type.encoding!,
    read: (first, count, memory) =>
      Effect.runPromise(Effect.provideService(readRows(path, tensor, first, count, memory), fileSystem, fs)),
  }
  const dtype = isStoredDType(type.name) && isFloatDType(type.name) ? type.name : "F32"
  return { name, shape, dtype, packed, read: () => decodeRows(packed, shape) }
}
