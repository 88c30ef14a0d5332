import type { Gradients, TaskTransformContext } from "../../../core/contracts/gradient_transform.ts"
import * as ops from "../../../core/tensor/ops.ts"
import type { Tensor } from "../../../core/tensor/tensor.ts"
import { secureNormal } from "./normal.ts"

/**
 * Adds Gaussian noise to the sum over each task's examples, of which the gradients are means; every parameter of every task
 * has a stream of its own.
 *
 * @param deviation Standard deviation of the noise of the sum: a number or f32 [].
 */
export function addNoise(
  tasks: ReadonlyMap<string, Gradients>,
  deviation: number | Tensor,
  { step, secretKey, weights }: TaskTransformContext,
): ReadonlyMap<string, Gradients> {
  let stream = 0
  return new Map([...tasks].map(([task, gradients]) => {
    const scale = ops.div(deviation, weights.get(task)!)
    const noisy = [...gradients].map(([key, gradient]) => {
      const noise = secureNormal(secretKey!, step, stream++, gradient.shape)
      return [key, ops.add(gradient, ops.mul(scale, noise))] as const
    })
    return [task, new Map(noisy)]
  }))
}
