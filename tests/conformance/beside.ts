/**
 * What changes the gradients of cases beside their methods.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Contribution } from "../../core/contracts/contribution.ts"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { Plugins } from "../../core/contracts/plugins.ts"
import { flat } from "../../plugins/differential_privacy/clip.ts"
import * as Multitask from "../../plugins/multitask/mod.ts"
import type { Case } from "./cases.ts"
import { built, type MethodLayer } from "./methods.ts"
import type { PrivateOptions } from "./private_cases.ts"

/** Private training without noise and without sampling, which the plugin itself never does. */
const clipped = ({ clip }: PrivateOptions): Contribution => ({
  id: "conformance/clip",
  requires: { paddedRows: true, constantDivisor: true },
  gradients: { example: (gradients) => flat(gradients, clip) },
})

/** A contribution as a layer. */
export const registered = (contribution: Contribution): Layer.Layer<never, PluginError, Plugins> =>
  Layer.effectDiscard(Effect.flatMap(Effect.service(Plugins), (plugins) => plugins.register(contribution)))

/** Layers of a case beside its method's. */
export const besideOf = ({ multitask, private: own }: Case): MethodLayer =>
  Layer.mergeAll(
    multitask === undefined ? Layer.empty : built(Multitask.layer({ mixing: "none", ...multitask })),
    own === undefined ? Layer.empty : registered(clipped(own)),
  )
