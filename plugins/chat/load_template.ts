import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { DataError, quoted } from "../../core/data/data_error.ts"
import { decodeUtf8, readBytes } from "../../core/data/table/source.ts"
import { loadTokenizer } from "../../core/data/tokenizer_files/load_tokenizer.ts"
import { readFiles } from "../../core/data/tokenizer_files/files.ts"
import { fileSystem } from "../../core/formats/files/file_system.ts"
import { pathExists } from "../../core/formats/files/path_exists.ts"
import { type ChatTemplate, chatTemplate, templateError, type TemplateOptions } from "./chat_template.ts"

type Json = Readonly<Record<string, unknown>>

/** Options of {@link load}. */
export interface LoadOptions extends Pick<TemplateOptions, "variables"> {
  /** A file with another template in the place of the model's, such as one with `{% generation %}` blocks. Default: none. */
  readonly template?: string
}

const readText = (path: string) => Effect.map(readBytes(path), (bytes) => decodeUtf8(path, bytes))

const exists = (path: string) =>
  pathExists(path).pipe(
    Effect.mapError(({ message, cause }) => new DataError({ reason: "Unreadable", message, cause })),
  )

/** Templates by name: files first, as in transformers, then tokenizer_config.json or what a GGUF file has in its place. */
const sourcesOf = (directory: string, config: Json) =>
  Effect.gen(function* () {
    const file = `${directory}/chat_template.jinja`, further = `${directory}/additional_chat_templates`
    if (yield* exists(file)) {
      const named: Record<string, string> = { default: yield* readText(file) }
      const fs = yield* fileSystem
      const names = (yield* exists(further))
        ? yield* fs.readDirectory(further).pipe(Effect.orElseSucceed(() => []))
        : []
      for (const name of names.filter((name) => name.endsWith(".jinja"))) {
        named[name.slice(0, -".jinja".length)] = yield* readText(`${further}/${name}`)
      }
      return named
    }
    const given = config.chat_template
    if (!Array.isArray(given)) return typeof given === "string" ? { default: given } : {}
    return Object.fromEntries(given.map(({ name, template }) => [name, template])) as Record<string, string>
  })

/** Tokens that templates write, by the names that they have there. */
const tokensOf = (directory: string, config: Json) =>
  Effect.map(loadTokenizer(directory), (tokenizer) => {
    const written = Object.entries(config).flatMap(([name, value]) => {
      const content = (value as { readonly content?: unknown } | null)?.content ?? value
      return /^\w+_token$/.test(name) && typeof content === "string" ? [[name, content]] : []
    })
    const named = (["bos", "eos", "pad", "mask"] as const).flatMap((name) => {
      const id = tokenizer[`${name}Id`]
      return id === undefined ? [] : [[`${name}_token`, tokenizer.token(id)!]]
    })
    return Object.fromEntries([...written, ...named]) as Readonly<Record<string, string>>
  })

/**
 * The chat template of a model: `chat_template.jinja`, `tokenizer_config.json` (one, or several by name), or that of a GGUF
 * file. Undefined where it has none.
 */
export const find = (
  model: string,
  { template, variables = {} }: LoadOptions = {},
): Effect.Effect<ChatTemplate | undefined, DataError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const config = ((yield* readFiles(model)).config ?? {}) as Json
    const { default: usual, ...named } = template === undefined
      ? yield* sourcesOf(model, config)
      : { default: yield* readText(template) }
    if (usual === undefined) {
      const names = Object.keys(named)
      if (names.length === 0) return undefined
      return yield* templateError(`${model} has the chat templates ${quoted(names)}, and none named "default"`)
    }
    const tokens = yield* tokensOf(model, config)
    return yield* Effect.try({
      try: () => chatTemplate(usual, { tokens, named, variables, from: template ?? model }),
      catch: (cause) => cause as DataError,
    })
  })

/** {@link find}, for a model that must have one. Fails with DataError `Template`. */
export const load = (
  model: string,
  options: LoadOptions = {},
): Effect.Effect<ChatTemplate, DataError, FileSystem.FileSystem> =>
  Effect.flatMap(find(model, options), (found) =>
    found === undefined
      ? templateError(
        `${model} has no chat template (chat_template.jinja, or chat_template in tokenizer_config.json): take the ` +
          "model's instruct version, or give a template in a file",
      )
      : Effect.succeed(found))
