import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { BackendError } from "../../core/backend/backend_error.ts"
import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { type StorageError, toStorageError } from "../../core/formats/storage_error.ts"
import { writeDirectoryWhole } from "../../core/formats/whole_file.ts"
import {
  CONFIG_FILE,
  encodeLoraConfig,
  encodeWeights,
  type PeftError,
  type PeftLoraConfig,
  WEIGHTS_FILE,
} from "../peft_format/mod.ts"
import type { CombinedModule, CombineReport } from "./combine.ts"
import { CombineError } from "./combine_error.ts"
import { frameOf } from "./combine_frame.ts"
import { type CombineOptions, resolveCombine, type ResolvedCombine } from "./combine_options.ts"
import { openAdapter, type OpenedAdapter } from "./combine_sources.ts"
import {
  type AddRow,
  concatenated,
  decomposed,
  distance,
  type Factors,
  leastRank,
  merged,
  nearest,
  productRows,
  type Term,
  termRows,
  truncated,
} from "./combine_updates.ts"
import { A, B, EMBEDDING_A, EMBEDDING_B } from "./low_rank.ts"

/** Elements of the largest weight whose whole update is formed: 2 GiB of float64. */
const LARGEST = 2 ** 28

/** What `combine` does, which loads this file when it is called. */
export function combineAdapters(options: CombineOptions): Effect.Effect<
  CombineReport,
  CombineError | PeftError | StorageError | PluginError | BackendError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveCombine(options))
    const adapters = yield* Effect.forEach(resolved.adapters, openAdapter)
    const { config: frame, saved, notes } = yield* attempt(() => frameOf(adapters))
    const paths = [...new Set(adapters.flatMap(({ updates }) => [...updates.keys()]))].sort()
    if (paths.length === 0) return yield* fail("Mismatch", "the adapters' files hold no update of any module")
    const svdRank = resolved.svdRank ??
      Math.max(...adapters.flatMap(({ updates }) => [...updates.values()].map(({ a }) => a.rows)))
    const done = yield* Effect.forEach(
      paths,
      (module, stream) => attempt(() => combineModule({ ...resolved, svdRank }, adapters, module, stream)),
    )
    const modules = done.map(({ module, rank, error }) => ({ module, rank, error }))
    const files = {
      [CONFIG_FILE]: new TextEncoder().encode(encodeLoraConfig(configFor(frame, modules))),
      [WEIGHTS_FILE]: encodeWeights([...done.flatMap(({ values }) => values), ...saved]),
    }
    const fs = yield* FileSystem.FileSystem
    yield* writeDirectoryWhole(
      resolved.output,
      (temporary) =>
        Effect.forEach(Object.entries(files), ([name, bytes]) => fs.writeFile(`${temporary}/${name}`, bytes), {
          discard: true,
        }).pipe(Effect.mapError(toStorageError(resolved.output, "write"))),
    )
    const worst = modules.reduce((a, b) => b.error > a.error ? b : a)
    return { combinationType: resolved.combinationType, modules, worst, notes }
  })
}

function fail(reason: CombineError["reason"], message: string): Effect.Effect<never, CombineError> {
  return Effect.fail(new CombineError({ reason, message }))
}

function attempt<T>(run: () => T): Effect.Effect<T, CombineError> {
  return Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof CombineError ? Effect.fail(error) : Effect.die(error)
    }
  })
}

interface DoneModule extends CombinedModule {
  readonly values: ReadonlyArray<NamedValues>
}

function combineModule(
  options: ResolvedCombine & { readonly svdRank: number },
  adapters: ReadonlyArray<OpenedAdapter>,
  module: string,
  stream: number,
): DoneModule {
  const { combinationType, tolerance } = options
  const own = adapters.flatMap(({ label, updates }) => {
    const update = updates.get(module)
    return update === undefined ? [] : [{ label, update }]
  })
  const [{ update: { embedding } }] = own
  const shapeOf = ({ a, b }: Term) => embedding ? [a.columns, b.rows] : [b.rows, a.columns]
  const { label, update } = own[0]
  const other = own.find(({ update: { embedding: kind, ...term } }) =>
    kind !== embedding || `${shapeOf(term)}` !== `${shapeOf(update)}`
  )
  if (other !== undefined) {
    const message =
      `"${module}" is [${shapeOf(update)}] in ${label} and [${shapeOf(other.update)}] in ${other.label}: ` +
      "the adapters belong to different models"
    throw new CombineError({ reason: "Mismatch", module, message })
  }
  const terms = own.map(({ update }) => update)
  const [rows, columns] = [update.b.rows, update.a.columns]
  const { factors, wanted, needed } = factorsOf(options, terms, module, stream)
  // As the file holds them.
  const [a, b] = [factors.a, factors.b].map(({ data }) => Float32Array.from(data))
  const stored: Factors = {
    a: { ...factors.a, data: Float64Array.from(a) },
    b: { ...factors.b, data: Float64Array.from(b) },
  }
  const found = distance(rows, columns, wanted, productRows(stored))
  // Where updates cancel each other to the last digits, what is left has no meaning.
  const parts = terms.reduce((sum, term) => sum + Math.abs(term.scale * term.weight) * normOf(term), 0)
  const error = found.distance === 0 ? 0 : found.distance / Math.max(found.norm, 1e-10 * parts)
  if (!(error <= tolerance)) {
    const rank = needed()
    const most = Math.min(rows, columns)
    const what = combinationType === "cat" || combinationType === "linear"
      ? 'its updates nearly cancel each other, beyond what 32 bits hold; take "svd", or other weights'
      : rank === undefined
      ? `take a higher svdRank (${most} is exact), a higher density, or a higher tolerance`
      : `take svdRank ${rank}, or a higher tolerance`
    const message =
      `"${module}": rank ${factors.a.rows} is ${error.toPrecision(3)} off what "${combinationType}" stands ` +
      `for, relative to its norm; the tolerance is ${tolerance}: ${what}. Nothing was written`
    throw new CombineError({ reason: "Inexact", module, message })
  }
  const named = (name: string, { rows, columns }: Factors["a"], data: Float32Array): NamedValues => ({
    parameter: {
      owner: "adapter",
      module,
      name,
      key: `adapter:${module}.${name}`,
      shape: [rows, columns],
      initializer: { kind: "values", data },
    },
    data,
  })
  const values = [
    named(embedding ? EMBEDDING_A : A, factors.a, a),
    named(embedding ? EMBEDDING_B : B, factors.b, b),
  ]
  return { module, rank: factors.a.rows, error, values }
}

/** Norm of b a. */
function normOf({ a, b }: Factors): number {
  const nothing: AddRow = () => {}
  return distance(b.rows, a.columns, productRows({ a, b }), nothing).norm
}

/** Factors of the combination, what they stand for, and the rank that would do if they are too far from it. */
function factorsOf(
  options: ResolvedCombine & { readonly svdRank: number },
  terms: ReadonlyArray<Term>,
  module: string,
  stream: number,
): { readonly factors: Factors; readonly wanted: AddRow; readonly needed: () => number | undefined } {
  const { combinationType, svdRank, tolerance } = options
  const sum: AddRow = (row, into) => terms.forEach((term) => termRows(term)(row, into))
  const whole = concatenated(terms)
  switch (combinationType) {
    case "cat":
      return { factors: whole, wanted: sum, needed: () => undefined }
    case "linear":
    case "svd": {
      const all = decomposed(whole)
      const rank = combinationType === "svd" ? svdRank : leastRank(all.values, 1e-7)
      return { factors: truncated(all, rank), wanted: sum, needed: () => leastRank(all.values, tolerance) }
    }
    default: {
      const size = whole.b.rows * whole.a.columns
      if (size > LARGEST) {
        const message =
          `"${module}": "${combinationType}" forms the whole update, of ${size} numbers; take "svd" or "cat"`
        throw new CombineError({ reason: "Unsupported", module, message })
      }
      const prune = combinationType === "ties" ? "magnitude" : "random"
      const target = merged(terms, { ...options, prune, elect: combinationType !== "dare_linear", stream })
      const { columns } = target
      return {
        factors: truncated(nearest(target, svdRank), svdRank),
        wanted: (row, into) => {
          for (let j = 0; j < columns; j++) into[j] += target.data[row * columns + j]
        },
        needed: () => undefined,
      }
    }
  }
}

/** Scale 1 everywhere: the rank that most modules have, and the others by their paths. */
function configFor(frame: PeftLoraConfig, modules: ReadonlyArray<CombinedModule>): PeftLoraConfig {
  const counts = [...Map.groupBy(modules, ({ rank }) => rank)].sort(([, a], [, b]) => b.length - a.length)
  const [[r]] = counts
  const others = modules.filter(({ rank }) => rank !== r)
  const pattern = Object.fromEntries(others.map(({ module, rank }) => [module.replaceAll(".", "\\."), rank]))
  return { ...frame, r, loraAlpha: r, rankPattern: pattern, alphaPattern: pattern }
}
