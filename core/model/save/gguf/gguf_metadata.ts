import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { attempt } from "../../../contracts/attempt.ts"
import { DataError } from "../../../data/data_error.ts"
import { decodeUtf8, readBytes } from "../../../data/table/source.ts"
import { tokenizerMetadata } from "../../../data/tokenizer_files/gguf/tokenizer_metadata.ts"
import { readFiles } from "../../../data/tokenizer_files/files.ts"
import { pathExists } from "../../../formats/files/path_exists.ts"
import type { StorageError } from "../../../formats/files/storage_error.ts"
import type { GgufError } from "../../../formats/gguf/gguf_error.ts"
import { ggufAt, openGguf } from "../../../formats/gguf/gguf_file.ts"
import {
  ALIGNMENT_KEY,
  type GgufMetadata,
  type GgufTensorInfo,
  type GgufValue,
} from "../../../formats/gguf/gguf_types.ts"
import { JsonError } from "../../../formats/json/json_error.ts"
import type { Model } from "../../model.ts"
import type { GgufTarget } from "./gguf_target.ts"
import { registeredTokenizers } from "../../../weights/gguf/gguf_tokenizers.ts"
import { modelTokenizers } from "../../../weights/registered_tokenizers.ts"
import { groupBy } from "../group_by.ts"

/** Numbers of the format's file types (`general.file_type`), by the type that most of the matrices have. */
const FILE_TYPES: Readonly<Record<string, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  Q4_K: 15,
  Q5_K: 17,
  Q6_K: 18,
  BF16: 32,
}
const FILE_TYPE = "general.file_type", QUANTIZATION = "general.quantization_version"

/** Metadata of a model's file: those of the GGUF file that it came from, or made from its config and tokenizer. */
export function ggufMetadata(
  model: Model,
  target: GgufTarget,
  tensors: ReadonlyArray<GgufTensorInfo>,
  own: Readonly<Record<string, string>>,
): Effect.Effect<GgufMetadata, DataError | GgufError | JsonError | StorageError, FileSystem.FileSystem> {
  return Effect.gen(function* () {
    const { directory } = model
    const isPlain = directory === "" || (yield* pathExists(`${directory}/config.json`))
    const file = isPlain ? undefined : yield* ggufAt(directory)
    const found = file === undefined ? yield* madeMetadata(model, target) : (yield* openGguf(file)).metadata
    const given = Object.entries(own).map(([key, value]) => [`general.${key}`, { type: "string", value }] as const)
    const matrices = groupBy(tensors.filter(({ shape }) => shape.length > 1), ({ type }) => type.name)
    const [most = "F32"] = [...matrices].sort(([, a], [, b]) => b.length - a.length)[0] ?? []
    const kept = [...found].filter(([key]) => ![ALIGNMENT_KEY, FILE_TYPE, QUANTIZATION].includes(key))
    return new Map<string, GgufValue>([
      ...kept,
      ...given,
      [FILE_TYPE, { type: "uint32", value: FILE_TYPES[most] }],
      ...([...matrices.keys()].some((name) => name.startsWith("Q"))
        ? [[QUANTIZATION, { type: "uint32", value: 2 }] as const]
        : []),
    ])
  })
}

/** Metadata of a model that came from a directory of Hugging Face's files. */
function madeMetadata({ directory, companions, network }: Model, { dialect, config }: GgufTarget) {
  return Effect.gen(function* () {
    const folder = companions ?? directory
    const files = { ...yield* readFiles(folder), modelTokenizers: yield* modelTokenizers }
    const template = `${folder}/chat_template.jinja`
    const chat = (yield* pathExists(template)) ? decodeUtf8(template, yield* readBytes(template)) : undefined
    const ofModel = yield* attempt(() => dialect.metadata(config), JsonError)
    const known = yield* registeredTokenizers
    const ofTokenizer = yield* attempt(
      () => tokenizerMetadata(files, network.vocabSize, folder, known, chat),
      DataError,
    )
    const name = directory.slice(directory.lastIndexOf("/") + 1)
    return new Map<string, GgufValue>([
      ...ofModel,
      ["general.type", { type: "string", value: "model" }],
      ["general.name", { type: "string", value: name }],
      ...ofTokenizer,
    ])
  })
}
