import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../../core/formats/files/file_system.ts"
import type { BackendError } from "../../../core/backend/backend_error.ts"
import { attempt } from "../../../core/contracts/attempt.ts"
import type { NamedValues } from "../../../core/contracts/contribution.ts"
import type { PluginError } from "../../../core/contracts/plugin_error.ts"
import { type StorageError, toStorageError } from "../../../core/formats/files/storage_error.ts"
import { writeDirectoryWhole } from "../../../core/formats/files/whole_file.ts"
import { encodeLoraConfig, encodeWeights, type PeftLoraConfig } from "../../peft_format/mod.ts"
import { CONFIG_FILE, type PeftError, WEIGHTS_FILE } from "../../peft_names/mod.ts"
import { CombineError } from "../../../core/weights/combine/combine_error.ts"
import {
  cat,
  type Combination,
  combineUpdates,
  dareLinear,
  dareTies,
  linear,
  svd,
  ties,
} from "../../../core/weights/combine/combine_updates.ts"
import type { Factors, Term } from "../../../core/weights/combine/low_rank.ts"
import { grouped } from "../grouped.ts"
import { frameOf } from "./combine_frame.ts"
import { type CombinationType, type CombineOptions, resolveCombine, type ResolvedCombine } from "./combine_options.ts"
import { openAdapter, type OpenedAdapter } from "./combine_sources.ts"
import { A, B, EMBEDDING_A, EMBEDDING_B } from "../low_rank.ts"

const COMBINATIONS: Readonly<Record<CombinationType, Combination>> = {
  cat,
  linear,
  svd,
  ties,
  dare_linear: dareLinear,
  dare_ties: dareTies,
}

/** What came out at one module. */
export interface CombinedModule {
  /** Its path. */
  readonly module: string
  /** Rank of its update. */
  readonly rank: number
  /** Distance from what it stands for, relative to that, as the file holds it. */
  readonly error: number
}

/** What `combine` wrote. */
export interface CombineReport {
  /** How. */
  readonly combinationType: CombinationType
  /** Every adapted module, by path. */
  readonly modules: ReadonlyArray<CombinedModule>
  /** The one that is furthest off. */
  readonly worst: CombinedModule
  /** What a person should know: heads that were averaged, adapters of different base models. */
  readonly notes: ReadonlyArray<string>
}

/** What `combine` does, which loads this file when it is called. */
export function combineAdapters(options: CombineOptions): Effect.Effect<
  CombineReport,
  CombineError | PeftError | StorageError | PluginError | BackendError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const resolved = yield* attempt(() => resolveCombine(options), CombineError)
    const adapters = yield* Effect.forEach(resolved.adapters, openAdapter)
    const { config: frame, saved, notes } = yield* attempt(() => frameOf(adapters), CombineError)
    const paths = [...new Set(adapters.flatMap(({ updates }) => [...updates.keys()]))].sort()
    if (paths.length === 0) return yield* fail("Mismatch", "the adapters' files hold no update of any module")
    const svdRank = resolved.svdRank ??
      Math.max(...adapters.flatMap(({ updates }) => [...updates.values()].map(({ a }) => a.rows)))
    const done = yield* Effect.forEach(
      paths,
      (module, stream) =>
        attempt(() => combineModule({ ...resolved, svdRank }, adapters, module, stream), CombineError),
    )
    const modules = done.map(({ module, rank, error }) => ({ module, rank, error }))
    const files = {
      [CONFIG_FILE]: new TextEncoder().encode(encodeLoraConfig(configFor(frame, modules))),
      [WEIGHTS_FILE]: encodeWeights([...done.flatMap(({ values }) => values), ...saved]),
    }
    const fs = yield* fileSystem
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

interface DoneModule extends CombinedModule {
  readonly values: ReadonlyArray<NamedValues>
}

function combineModule(
  options: ResolvedCombine & { readonly svdRank: number },
  adapters: ReadonlyArray<OpenedAdapter>,
  module: string,
  stream: number,
): DoneModule {
  const own = adapters.flatMap(({ label, updates }) => {
    const update = updates.get(module)
    return update === undefined ? [] : [{ label, update }]
  })
  const [{ label, update }] = own
  const { embedding } = update
  const shapeOf = ({ a, b }: Term) => embedding ? [a.columns, b.rows] : [b.rows, a.columns]
  const other = own.find(({ update: { embedding: kind, ...term } }) =>
    kind !== embedding || `${shapeOf(term)}` !== `${shapeOf(update)}`
  )
  if (other !== undefined) {
    const message =
      `"${module}" is [${shapeOf(update)}] in ${label} and [${shapeOf(other.update)}] in ${other.label}: ` +
      "the adapters belong to different models"
    throw new CombineError({ reason: "Mismatch", module, message })
  }
  const kind = COMBINATIONS[options.combinationType]
  const terms = own.map(({ update }) => update)
  const { factors, stored, error } = combineUpdates(kind, terms, module, { ...options, stream })
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
    named(embedding ? EMBEDDING_A : A, factors.a, stored.a),
    named(embedding ? EMBEDDING_B : B, factors.b, stored.b),
  ]
  return { module, rank: factors.a.rows, error, values }
}

/** Scale 1 everywhere: the rank that most modules have, and the others by their paths. */
function configFor(frame: PeftLoraConfig, modules: ReadonlyArray<CombinedModule>): PeftLoraConfig {
  const counts = [...grouped(modules, ({ rank }) => rank)].sort(([, a], [, b]) => b.length - a.length)
  const [[r]] = counts
  const others = modules.filter(({ rank }) => rank !== r)
  const pattern = Object.fromEntries(others.map(({ module, rank }) => [module.replaceAll(".", "\\."), rank]))
  return { ...frame, r, loraAlpha: r, rankPattern: pattern, alphaPattern: pattern }
}
