/**
 * PCGrad (Yu et al. 2020, algorithm 1): a task's gradient loses what points against another task's. The other tasks
 * come in the order of their names, where the paper draws an order.
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { type Gradients, ops, type PluginError, Plugins, type Tensor } from "@espalier/espalier"

/** Identity of the capability. */
export interface PcGrad {
  /** Nominal brand. */
  readonly "~seams/PcGrad": "~seams/PcGrad"
}
const PcGrad: Context.Service<PcGrad, "pcgrad"> = Context.Service<PcGrad, "pcgrad">("seams/PcGrad")

/** Projects conflicting tasks; `after` noise that makes gradients private, for that is post-processing. */
export const layer: Layer.Layer<PcGrad, PluginError, Plugins.Plugins> = Plugins.plugin(
  PcGrad,
  Effect.succeed(["pcgrad", {
    id: "pcgrad/default",
    after: ["dp_sgd"],
    gradients: {
      task: {
        update: (tasks, state) => {
          const names = [...tasks.keys()].sort()
          const projected = names.map((name) => {
            const others = names.filter((other) => other !== name).map((other) => tasks.get(other)!)
            return [name, others.reduce(project, tasks.get(name)!)] as const
          })
          return [new Map(projected), state]
        },
      },
    },
  }]),
)

/** `own` without its part along `other`, where that is negative. */
function project(own: Gradients, other: Gradients): Gradients {
  const along = ops.min(dot(own, other), 0)
  const factor = ops.div(along, ops.max(dot(other, other), 1e-30))
  return new Map([...own].map(([key, gradient]) => [key, ops.sub(gradient, ops.mul(factor, other.get(key)!))]))
}

function dot(a: Gradients, b: Gradients): Tensor {
  return [...a].map(([key, gradient]) => ops.sum(ops.mul(gradient, b.get(key)!))).reduce((x, y) => ops.add(x, y))
}
