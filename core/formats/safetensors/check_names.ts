import * as Effect from "effect/Effect"
import { listNames } from "./list_names.ts"
import { SafetensorsError } from "./safetensors_error.ts"

/** A name, or the end of one after a dot (`rotary_emb.inv_freq`), or an expression. */
export type NameRule = string | RegExp

export interface CheckNamesOptions {
  /** Shapes that the model has, by name. */
  readonly expected: ReadonlyMap<string, ReadonlyArray<number>>
  /** Tensors that the checkpoint has, by name. */
  readonly found: ReadonlyMap<string, { readonly shape: ReadonlyArray<number> }>
  /** Where `found` comes from: for the error. */
  readonly file: string
  /** Names that the checkpoint may have beyond the model's: tied weights, buffers. Default none. */
  readonly ignore?: ReadonlyArray<NameRule>
  /** Names of the model that the checkpoint may lack: a head that starts anew. Default none. */
  readonly optional?: ReadonlyArray<NameRule>
  /** Number of token ids, for the likely reason. */
  readonly vocabSize?: number
  /** The class that the checkpoint's config names, where it is not the model's: for the likely reason. */
  readonly savedAs?: string
}

/** Differences that the caller allowed. */
export interface CheckedNames {
  /** Names of the model that the checkpoint lacks, all of them `optional`. */
  readonly missing: ReadonlyArray<string>
  /** Names of the checkpoint that the model lacks, all of them under `ignore`. */
  readonly ignored: ReadonlyArray<string>
}

/**
 * Checks that a checkpoint fits a model: nothing missing, nothing unexpected, every shape right. All differences come in
 * one error, with the likely reason.
 */
export function checkNames(options: CheckNamesOptions): Effect.Effect<CheckedNames, SafetensorsError> {
  return Effect.suspend(() => {
    const { expected, found, file, ignore = [], optional = [], vocabSize, savedAs } = options
    const absent = [...expected.keys()].filter((name) => !found.has(name))
    const extra = [...found.keys()].filter((name) => !expected.has(name))
    const missing = absent.filter((name) => !matches(name, optional))
    const unexpected = extra.filter((name) => !matches(name, ignore))
    const misshapen: Array<[string, ReadonlyArray<number>, ReadonlyArray<number>]> = []
    for (const [name, shape] of expected) {
      const other = found.get(name)?.shape
      if (other !== undefined && `${other}` !== `${shape}`) misshapen.push([name, shape, other])
    }
    if (missing.length + unexpected.length + misshapen.length === 0) {
      return Effect.succeed({ missing: absent, ignored: extra })
    }
    const shapes = misshapen.map(([name, wanted, got]) => `${name} [${got}] instead of [${wanted}]`)
    return Effect.fail(
      new SafetensorsError({
        reason: missing.length > 0 ? "Missing" : misshapen.length > 0 ? "Shape" : "Unexpected",
        file,
        message: `the weights in "${file}" do not fit the model` + listNames("missing", missing) +
          listNames("unexpected", unexpected) + listNames("wrongly shaped", shapes) +
          `\nlikely: ${likelyReason(missing, unexpected, misshapen, found.size, vocabSize, savedAs)}`,
      }),
    )
  })
}

function matches(name: string, patterns: ReadonlyArray<NameRule>): boolean {
  return patterns.some((pattern) =>
    typeof pattern === "string" ? name === pattern || name.endsWith(`.${pattern}`) : pattern.test(name)
  )
}

function likelyReason(
  missing: ReadonlyArray<string>,
  unexpected: ReadonlyArray<string>,
  misshapen: ReadonlyArray<readonly [string, ReadonlyArray<number>, ReadonlyArray<number>]>,
  found: number,
  vocabSize: number | undefined,
  savedAs: string | undefined,
): string {
  if (found === 0) return "the file holds no tensors"
  const extra = commonPrefix(unexpected, missing)
  if (extra !== undefined) return `the file's names carry the prefix "${extra}": saved from a wrapped model`
  const lacking = commonPrefix(missing, unexpected)
  if (lacking !== undefined) return `the file's names lack the prefix "${lacking}": saved from a part of the model`
  const isBias = (name: string) => name.endsWith(".bias")
  if (missing.length + misshapen.length === 0 && unexpected.every(isBias)) {
    return "the file has biases that config.json does not ask for"
  }
  if (unexpected.length + misshapen.length === 0 && missing.every(isBias)) {
    return "config.json asks for biases that the file does not have"
  }
  if (unexpected.length + misshapen.length === 0 && missing.length === 1 && /head\.weight$/.test(missing[0])) {
    if (savedAs !== undefined) {
      return `it was saved as ${savedAs}, which has no such head: load it for another task (for embeddings alone ` +
        "classification will do), or take a model that has one"
    }
    return "the file lacks the output head: the embedding serves as one if config.json says tie_word_embeddings true"
  }
  const [, , rows] = misshapen.find(([, wanted]) => wanted[0] === vocabSize) ?? []
  if (
    rows !== undefined &&
    misshapen.every(([, [first, ...rest], got]) => first === vocabSize && `${[rows[0], ...rest]}` === `${got}`)
  ) {
    const more = rows[0] > vocabSize!
      ? "a vocabulary that grew, or was padded, after it was written"
      : "of another vocabulary"
    return `the embeddings have ${rows[0]} rows, vocab_size of config.json is ${vocabSize} (${more}): ` +
      `"vocab_size": ${rows[0]} is what belongs to this file`
  }
  if (misshapen.length > 0) {
    const transposed = misshapen.every(([, wanted, got]) =>
      wanted.length === 2 && `${[...got].reverse()}` === `${wanted}`
    )
    return transposed ? "the file stores these matrices transposed" : "config.json belongs to a model of another size"
  }
  if (unexpected.length === 0) return "the file is not complete, or config.json describes a larger model"
  if (missing.length === 0) return "the file holds another head, or more layers than config.json says"
  return "the file belongs to a model of another architecture"
}

/** The prefix that turns most of `short` into names of `long`, if there is one. */
function commonPrefix(long: ReadonlyArray<string>, short: ReadonlyArray<string>): string | undefined {
  if (long.length === 0 || short.length === 0) return undefined
  const shortNames = new Set(short)
  const counts = new Map<string, number>()
  for (const name of long) {
    for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
      if (!shortNames.has(name.slice(dot + 1))) continue
      const prefix = name.slice(0, dot + 1)
      counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
    }
  }
  for (const [prefix, count] of counts) if (count * 2 > short.length) return prefix
  return undefined
}
