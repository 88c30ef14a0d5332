/**
 * IA3 (Liu et al. 2022, arXiv 2205.05638): learned vectors rescale keys, values and the inner activation of the
 * feed-forward part. With PEFT's options, in PEFT's files.
 *
 * ```ts
 * import * as IA3 from "@someone/espalier-ia3/ia3"
 *
 * const methods = IA3.layer()
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import {
  type ArtifactFiles,
  type Contribution,
  type ModuleInfo,
  ops,
  PluginError,
  Plugins,
  type Site,
  type SiteScope,
  type StorageError,
  type Tensor,
} from "@espalier/espalier"
import {
  demandOf,
  endsIn,
  field,
  isHead,
  matcher,
  methodName,
  methodOptions,
  type OptionTable,
  type PeftError,
  readFiles,
} from "@espalier/espalier/plugin"
import { readConfig, readWeights, VECTOR, writeFiles } from "./ia3_files.ts"
import { rescale } from "./rescale.ts"

/** Options of IA3, with PEFT's meaning. */
export interface IA3Options {
  /** Tells the IA3s of one model apart; the plugin's id is `ia3/<name>`. Default `"default"`. */
  readonly name?: string
  /**
   * Which Linear modules: a regular expression for the whole path, or names (exact, or the end of a path after a dot).
   * Default: keys, values and the feed-forward's last module, by the names of BERT, DistilBERT, GPT-2, LFM2, Llama,
   * ModernBERT and T5.
   */
  readonly targetModules?: string | ReadonlyArray<string>
  /** Those among them whose input is rescaled instead of the output. Default: the feed-forward's, by the same names. */
  readonly feedforwardModules?: string | ReadonlyArray<string>
  /** Whether the vectors start at 1, so that nothing changes at first; else from N(0, 1), for tests. Default true. */
  readonly initIa3Weights?: boolean
}

/** {@link IA3Options}, checked and with defaults filled in. */
export interface ResolvedIA3 extends Required<IA3Options> {
  /** Id of the plugin: `ia3/<name>`. */
  readonly id: string
}

const FEED_FORWARD = ["down_proj", "output.dense", "lin2", "mlp.c_proj", "w2", "wo", "mlp.Wo"]
// Where one module gives queries, keys and values, its whole output is rescaled, as PEFT does for GPT-2.
const TARGETS = ["k_proj", "v_proj", "key", "value", "k_lin", "v_lin", "c_attn", "Wqkv", "k", "v", ...FEED_FORWARD]
const NAMES = [field.text({ pattern: "." }), field.list(field.text({}), { minItems: 1 })] as const

/** {@link IA3Options} as a table: checks, defaults, JSON Schema and `--help` come from it. */
export const OPTIONS: OptionTable<IA3Options> = {
  name: methodName,
  targetModules: field.anyOf(NAMES, {
    default: TARGETS,
    absent: "keys, values and the feed-forward",
    wanted: "a pattern or a list of names",
    doc: "Modules to rescale",
  }),
  feedforwardModules: field.anyOf([field.text({}), field.list(field.text({}), {})], {
    default: ({ targetModules: targets }) =>
      FEED_FORWARD.filter((module) => !Array.isArray(targets) || targets.includes(module)),
    absent: "the feed-forward's among them",
    doc: "Modules whose input is rescaled instead of the output",
  }),
  initIa3Weights: field.boolean({ default: true, doc: "Start at 1, so that nothing changes at first" }),
}

/** Fills in defaults. Throws {@link PluginError} on an option that is not known, or a value that makes no sense. */
export function resolveOptions(options: IA3Options): ResolvedIA3 {
  const resolved = methodOptions("ia3", OPTIONS, options)
  const { id, targetModules, feedforwardModules: some } = resolved
  const within = [targetModules, some].some((names) => typeof names === "string") ||
    [...some].every((module) => targetModules.includes(module))
  demandOf(id)(within, "feedforwardModules", `some of targetModules, ${JSON.stringify(targetModules)}`, some)
  return resolved
}

/** The site: a vector before or after each target. */
export function siteOf({ id, targetModules, feedforwardModules, initIa3Weights }: ResolvedIA3): Site {
  const isFeedForward = matcher(feedforwardModules, id)
  return {
    // Of the names for all families most are not in a model.
    select: targetModules === TARGETS ? ({ path }) => TARGETS.some((name) => endsIn(path, name)) : targetModules,
    exclude: isHead,
    plan: (module) => {
      if (module.kind !== "Linear") {
        const message = `${id}: IA3 rescales Linear modules; "${module.path}" is ${module.kind}`
        throw new PluginError({ plugin: id, message })
      }
      const { inFeatures, outFeatures } = module.sizes
      const initializer = initIa3Weights ? { kind: "ones" } as const : { kind: "normal", std: 1 } as const
      // As PEFT keeps them: upright where outputs are rescaled, flat where inputs are.
      const before = isFeedForward(module)
      const shape = before ? [1, inFeatures] : [outFeatures, 1]
      return {
        place: before ? "before" : "after",
        parameters: { [VECTOR]: { shape, initializer } },
        forward: (scope: SiteScope, x: Tensor) => rescale(x, ops.reshape(scope.parameter(VECTOR), [-1])),
      }
    },
  }
}

/** What the registry gets. */
function contributionOf(options: ResolvedIA3, initial?: ArtifactFiles): Contribution {
  return {
    id: options.id,
    sites: [siteOf(options)],
    trains: isHead,
    artifacts: {
      ...(initial === undefined ? {} : { initial }),
      save: (values, context) => Effect.succeed(writeFiles(own(options, context.modules), values, context)),
      load: (files, wanted, context) => readWeights(own(options, context.modules), files, wanted),
    },
  }
}

/** The options with only those names that the model has, as a config for PEFT names them. */
function own(options: ResolvedIA3, modules: ReadonlyArray<ModuleInfo>): ResolvedIA3 {
  const found = (names: string | ReadonlyArray<string>) =>
    typeof names === "string" ? names : names.filter((name) => modules.some(({ path }) => endsIn(path, name)))
  const { targetModules, feedforwardModules } = options
  return { ...options, targetModules: found(targetModules), feedforwardModules: found(feedforwardModules) }
}

/** Identity of the capability. */
export interface IA3 {
  /** Nominal brand. */
  readonly "~someone/IA3": "~someone/IA3"
}
/** The IA3s of a program by name. */
export interface IA3Service {
  /** Options in force. */
  readonly vectors: Effect.Effect<ReadonlyMap<string, ResolvedIA3>, PluginError>
}
/** Key of the capability. Every layer provides the same collection, so merging layers loses none. */
export const IA3: Context.Service<IA3, IA3Service> = Context.Service<IA3, IA3Service>("@someone/espalier-ia3/IA3")

const optionsOf = new WeakMap<Contribution, ResolvedIA3>()

function provide(
  options: ResolvedIA3,
  initial?: ArtifactFiles,
): Effect.Effect<readonly [IA3Service, Contribution], never, Plugins.Plugins> {
  return Effect.map(Effect.service(Plugins.Plugins), (plugins) => {
    const contribution = contributionOf(options, initial)
    optionsOf.set(contribution, options)
    const vectors = Effect.map(plugins.all, (all) =>
      new Map(all.flatMap((contribution) => {
        const options = optionsOf.get(contribution)
        return options === undefined ? [] : [[options.name, options] as const]
      })))
    return [{ vectors }, contribution] as const
  })
}

/** Set-up fails with what `resolveOptions` throws. */
function checked(options: IA3Options): Effect.Effect<ResolvedIA3, PluginError> {
  return Effect.try({ try: () => resolveOptions(options), catch: (error) => error as PluginError })
}

/** IA3. Fails with {@link PluginError} on options that make no sense. */
export function layer(options: IA3Options = {}): Layer.Layer<IA3, PluginError, Plugins.Plugins> {
  return Plugins.plugin(IA3, Effect.flatMap(checked(options), (resolved) => provide(resolved)))
}

/**
 * A saved IA3, PEFT's or one from here: its config gives the options, its weights are the first values. Fails before any
 * weight of the base model is read.
 *
 * @param name Name of the IA3 within the model; it is also the folder's name within `directory` unless `"default"`.
 */
export function fromPeft(
  directory: string,
  name = "default",
): Layer.Layer<IA3, PluginError | PeftError | StorageError, Plugins.Plugins | FileSystem.FileSystem> {
  return Plugins.plugin(
    IA3,
    Effect.gen(function* () {
      const files = yield* readFiles(directory)
      const options = yield* readConfig(name, files)
      return yield* provide(yield* checked({ ...options, name }), files)
    }),
  )
}
