import type { TaskInfo } from "../../core/contracts/contribution.ts"
import type { Objective, ObjectiveContext } from "../../core/contracts/objective.ts"
import { PluginError } from "../../core/contracts/plugin_error.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { Tensor } from "../../core/tensor/tensor.ts"
import type { ResolvedOptions } from "./options.ts"

/** Adds the divergence of the model from the base model wherever there is a label. */
export function distilling(options: ResolvedOptions): (next: Objective) => Objective {
  const { id, weight, temperature } = options
  return (next) => (context) => {
    const labeled = labeledPlaces(context, id)
    const [student, teacher] = [context.outputs.logits, ops.stopGradient(context.base().logits)].map((logits) =>
      logSoftmax(ops.div(logits, temperature))
    )
    // KL(base || model): large where the model no longer says what the base model did.
    const each = ops.mul(ops.sum(ops.mul(ops.exp(teacher), ops.sub(teacher, student)), [-1]), labeled)
    const { loss, weight: terms } = next(context)
    const divergence = each.shape.length === 1 ? each : ops.sum(each, [1])
    return { loss: ops.add(loss, ops.mul(divergence, weight * temperature ** 2)), weight: terms }
  }
}

/** Throws PluginError where one of a model's tasks has nothing that is compared. */
export function checkTasks(id: string, tasks: Readonly<Record<string, TaskInfo>>): void {
  for (const [name, { fields: { labels } }] of Object.entries(tasks)) {
    if (labels?.dtype !== "i32" || labels.size !== undefined) throw incomparable(id, name)
  }
}

/** 1 where an example or a token has a label. */
function labeledPlaces(
  { batch: { fields: { labels }, task }, outputs: { logits } }: ObjectiveContext,
  id: string,
): Tensor {
  if (labels?.dtype === "i32" && labels.shape.length === logits.shape.length - 1) return ops.sub(1, ops.less(labels, 0))
  throw incomparable(id, task)
}

function incomparable(id: string, task: string): PluginError {
  const message =
    `${id}: distillation compares probabilities of classes or next tokens, and the task "${task}" has none`
  return new PluginError({ plugin: id, message })
}

function logSoftmax(logits: Tensor): Tensor {
  const shifted = ops.sub(logits, ops.stopGradient(ops.maximum(logits, [-1], { keepDims: true })))
  return ops.sub(shifted, ops.log(ops.sum(ops.exp(shifted), [-1], { keepDims: true })))
}
