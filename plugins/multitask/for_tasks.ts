import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PluginError } from "../../core/contracts/plugin_error.ts"
import { Plugins } from "../../core/contracts/plugins.ts"

/**
 * A method for some tasks alone: batches of the others see the model without it. Its name must differ from that of the
 * method for all tasks, where there is one.
 *
 * ```ts
 * import * as Layer from "effect/Layer"
 * import * as Lora from "@espalier/espalier/lora"
 * import * as Multitask from "@espalier/espalier/multitask"
 *
 * const sharedAndOwn = Layer.mergeAll(
 *   Lora.layer({ r: 8 }),
 *   Multitask.forTasks(["spam"], Lora.layer({ name: "spam", r: 2 })),
 *   Multitask.forTasks(["topic"], Lora.layer({ name: "topic", r: 2 })),
 * )
 * ```
 */
export function forTasks<I, E, R>(
  tasks: ReadonlyArray<string>,
  method: Layer.Layer<I, E, R>,
): Layer.Layer<I, E, R | Plugins> {
  const narrowed: Layer.Layer<Plugins, PluginError, Plugins> = Layer.effect(
    Plugins,
    Effect.map(Effect.service(Plugins), (all) => ({
      ...all,
      register: (contribution) => all.register({ ...contribution, tasks }),
    })),
  )
  return Layer.provide(method, narrowed) as Layer.Layer<I, E, R | Plugins>
}
