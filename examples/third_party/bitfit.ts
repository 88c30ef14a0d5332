/**
 * BitFit (Ben Zaken et al. 2022, arXiv 2106.10199): biases train, and a classifier's head; all else stays as it is.
 *
 * ```ts
 * import * as BitFit from "@someone/espalier-ia3/bitfit"
 *
 * const methods = BitFit.layer
 * ```
 *
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import { type ArtifactFiles, type Contribution, type PluginError, Plugins, type StorageError } from "@espalier/espalier"
import { decodeTensors, encodeTensors, isHead, PeftError, readFiles } from "@espalier/espalier/plugin"

/** Name of the file: what trained, by Hugging Face's names. */
export const FILE = "bitfit.safetensors"

/** Identity of the capability. */
export interface BitFit {
  /** Nominal brand. */
  readonly "~someone/BitFit": "~someone/BitFit"
}
/** Key of the capability. */
export const BitFit: Context.Service<BitFit, Contribution> = Context.Service<BitFit, Contribution>(
  "@someone/espalier-ia3/BitFit",
)

function contributionOf(initial?: ArtifactFiles): Contribution {
  return {
    id: "bitfit/default",
    trains: (module, parameter) => parameter === "bias" || isHead(module),
    // Changes nothing, but makes a model without biases an error.
    sites: [{
      select: (module) => "bias" in module.parameters && !isHead(module),
      plan: () => ({ place: "after", parameters: {}, forward: (_, y) => y }),
    }],
    artifacts: {
      ...(initial === undefined ? {} : { initial }),
      save: (values) => {
        const tensors = values.map(({ parameter: { key, shape }, data }) => [key, { shape, data }] as const)
        return Effect.succeed({ [FILE]: encodeTensors(new Map(tensors)) })
      },
      load: (files, wanted) =>
        Effect.try({
          try: () => {
            const bytes = files[FILE]
            if (bytes === undefined) {
              throw new PeftError({ reason: "Weights", file: FILE, message: `there is no ${FILE}` })
            }
            const found = decodeTensors(bytes, new Map(wanted.map(({ key, shape }) => [key, shape])), FILE)
            return wanted.map((parameter) => ({ parameter, data: found.get(parameter.key)! }))
          },
          catch: (error) => error as Error,
        }),
    },
  }
}

/** BitFit. A model without biases is a {@link PluginError} when it is loaded. */
export const layer: Layer.Layer<BitFit, PluginError, Plugins.Plugins> = Plugins.plugin(
  BitFit,
  Effect.sync(() => {
    const contribution = contributionOf()
    return [contribution, contribution] as const
  }),
)

/** Saved biases, to go on with. */
export function fromDirectory(
  directory: string,
): Layer.Layer<BitFit, PluginError | StorageError, Plugins.Plugins | FileSystem.FileSystem> {
  return Plugins.plugin(
    BitFit,
    Effect.map(readFiles(directory), (files) => {
      const contribution = contributionOf(files)
      return [contribution, contribution] as const
    }),
  )
}
