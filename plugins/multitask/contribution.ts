import * as Effect from "effect/Effect"
import { attempt } from "../../core/contracts/attempt.ts"
import type { Contribution, NamedValues, TaskInfo } from "../../core/contracts/contribution.ts"
import { PluginError, pluginError } from "../../core/contracts/plugin_error.ts"
import { pcgrad } from "./gradient_surgery.ts"
import { byFactor, byUncertainty } from "./loss_weights.ts"
import { mixedBatches } from "./mixed_batches.ts"
import type { ResolvedOptions } from "./options.ts"
import { followProgress } from "./progress.ts"

type Tasks = Readonly<Record<string, TaskInfo>>

/** The plugin; what it does with a model's tasks follows when they are known. */
export function contributionOf(options: ResolvedOptions): Contribution {
  // Gradients are cleaned of conflicts after noise that makes them private.
  return {
    id: options.id,
    settings: options,
    after: ["differential_privacy"],
    resolve: (tasks) => partsFor(options, tasks),
  }
}

function partsFor(
  options: ResolvedOptions,
  tasks: Tasks,
): ReturnType<NonNullable<Contribution["resolve"]>> {
  check(options, tasks)
  const { id, mixing, lossWeights, gradientSurgery, patience } = options
  let progress = followProgress(patience)
  const learned = lossWeights === "uncertainty"
  return {
    // Losses are scaled as they are, also those of whole packed rows.
    requires: { paddedRows: false },
    ...(mixing === "none" ? {} : {
      batches: (next, context) =>
        mixedBatches(next, context, { ...options, mixing }, progress = followProgress(patience)),
      observe: (event) => Effect.sync(() => progress.observe(event)),
    }),
    ...(gradientSurgery === "none" ? {} : { gradients: { task: pcgrad } }),
    ...(learned
      ? { objective: byUncertainty(id, tasks)!, artifacts: artifactsOf(id) }
      : Object.keys(lossWeights).length === 0
      ? {}
      : { objective: byFactor(lossWeights)! }),
  }
}

/** Throws {@link PluginError} where the options do not fit a model's tasks. */
function check({ id, lossWeights }: ResolvedOptions, tasks: Tasks): void {
  const names = Object.keys(tasks)
  const shown = JSON.stringify(names)
  if (names.length === 1) {
    throw pluginError(id, `the model has one task, ${shown}: give it two or more, or leave the plugin out`)
  }
  const given = lossWeights === "uncertainty" ? [] : Object.keys(lossWeights)
  if (names.length === 0 && (lossWeights === "uncertainty" || given.length > 0)) {
    throw pluginError(
      id,
      "lossWeights are by task, and the model has one task without a name: name its tasks, tasks: { one: ..., other: ... }",
    )
  }
  const unknown = given.filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw pluginError(id, `lossWeights are for ${JSON.stringify(unknown)}; the model has ${shown}: name those`)
  }
}

/** File of the learned variances: JSON, so that a person can read what the run found. */
const FILE = "multitask.json"

function artifactsOf(id: string): NonNullable<Contribution["artifacts"]> {
  const isOwn = ({ owner }: NamedValues["parameter"]) => owner === id
  return {
    save: (values) => {
      const own = values.filter(({ parameter }) => isOwn(parameter)).map((
        { parameter, data },
      ) => [parameter.name, data[0]])
      const text = `${JSON.stringify(Object.fromEntries(own), null, 2)}\n`
      return Effect.succeed({ [FILE]: new TextEncoder().encode(text) })
    },
    load: (files, wanted) =>
      attempt(
        () => {
          const bytes = files[FILE]
          if (bytes === undefined) {
            throw pluginError(
              id,
              `there is no ${FILE}: saved without lossWeights "uncertainty"; load without this plugin`,
            )
          }
          const saved = JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>
          return wanted.filter(isOwn).map((parameter) => {
            const value = saved[parameter.name]
            if (typeof value === "number") return { parameter, data: Float32Array.of(value) }
            throw pluginError(id, `${FILE} has no number ${JSON.stringify(parameter.name)}: saved for other tasks`)
          })
        },
        PluginError,
        SyntaxError,
      ),
  }
}
