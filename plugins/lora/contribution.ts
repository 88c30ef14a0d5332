import * as Effect from "effect/Effect"
import { attempt } from "../../core/contracts/attempt.ts"
import type { BaseChanges, Contribution } from "../../core/contracts/contribution.ts"
import { PeftError } from "../peft_names/mod.ts"
import { type ResolvedOptions, startsFromBase } from "./options.ts"
import { checkNames, optionNotes } from "./option_notes.ts"
import type { Saved, SeenBase } from "./saved.ts"
import { sitesOf } from "./sites.ts"
import { isSaved, targetRule } from "./targets.ts"

const NO_CHANGES: BaseChanges = { config: {}, weights: [] }

export function contributionOf(options: ResolvedOptions, saved?: Saved): Contribution {
  const { id, bias, origin: _, variant, ...settings } = options
  const isTarget = targetRule(options)
  let seen: SeenBase = { changes: NO_CHANGES, tied: {} }
  return {
    id,
    settings: { bias, ...settings, ...variant?.settings },
    sites: sitesOf(options),
    base: (modules, tied) => {
      checkNames(options, modules)
      seen = { changes: saved?.changes(options, modules, tied) ?? NO_CHANGES, tied }
      return seen.changes
    },
    notes: (modules) => optionNotes(options, modules, seen.changes),
    trains: (module, parameter) =>
      (isSaved(options, module) && !options.ownModules) ||
      (parameter === "bias" && (bias === "all" || (bias === "lora_only" && isTarget(module)))),
    ...(options.useDora || options.ownModules || options.initLoraWeights === "orthogonal" || startsFromBase(options)
      ? {
        initialize: (own, base) =>
          Effect.flatMap(
            Effect.promise(() => import("./start.ts")),
            ({ startFromBase }) => startFromBase(options, own, base),
          ),
      }
      : {}),
    artifacts: {
      ...(saved === undefined ? {} : { initial: saved.files }),
      save: (values, context) =>
        Effect.flatMap(
          Effect.promise(() => import("./files/mod.ts")),
          ({ save }) => attempt(() => save(options, values, context, seen.changes), PeftError),
        ),
      load: (files, wanted, context) =>
        Effect.flatMap(
          Effect.promise(() => import("./files/mod.ts")),
          ({ load }) => attempt(() => load(options, files, wanted, context, seen), PeftError),
        ),
    },
  }
}
