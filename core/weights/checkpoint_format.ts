import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { GgufError } from "../formats/gguf/gguf_error.ts"
import type { JsonError } from "../formats/json/json_error.ts"
import type { SafetensorsError } from "../formats/safetensors/safetensors_error.ts"
import type { StorageError } from "../formats/files/storage_error.ts"
import type { GgufDialects } from "./gguf/gguf_dialect.ts"
import type { GgufTokenizers } from "./gguf/gguf_names.ts"
import type { ModelTokenizers } from "./model_tokenizers.ts"
import type { StoredTensor } from "./stored_tensor.ts"

/** What a family says of formats. */
export interface FormatFamily {
  /** Its models in GGUF files, by `general.architecture`. Default: none. */
  readonly gguf?: GgufDialects
  /** What GGUF files call its models' tokenizers. Default: nothing. */
  readonly ggufTokenizers?: () => Promise<GgufTokenizers>
  /** What its model types say of tokenizers in directories. Default: nothing. */
  readonly tokenizers?: ModelTokenizers
}

/** A format of weight files. */
export interface CheckpointFormat {
  /** Its name, once in a program. */
  readonly name: string
  /** Whether a directory holds weights in this format, or a file is in it. */
  readonly detect: (path: string) => Effect.Effect<boolean, StorageError, FileSystem.FileSystem>
  /** The tensors by the names that a model's weight map takes. Reads names and shapes; numbers are read when they are needed. */
  readonly open: (
    path: string,
    families: ReadonlyArray<FormatFamily>,
  ) => Effect.Effect<ReadonlyMap<string, StoredTensor>, FormatError, FileSystem.FileSystem>
  /** The content of a `config.json`, where the weights' own files say it. Default: the directory holds that file. */
  readonly config?: (
    path: string,
    families: ReadonlyArray<FormatFamily>,
  ) => Effect.Effect<Readonly<Record<string, unknown>>, FormatError, FileSystem.FileSystem>
}

/** What can be wrong with weight files. */
export type FormatError = SafetensorsError | GgufError | StorageError | JsonError
