import type { Gradients } from "../../contracts/gradient_transform.ts"
import { add, div, full, min, mul, reshape, sqrt, sum } from "../../tensor/ops.ts"
import { sizeOf } from "../../tensor/shape.ts"
import type { Tensor } from "../../tensor/tensor.ts"

/** L2 norm of all gradients together: f32 []. */
export function globalNorm(gradients: Gradients): Tensor {
  let total = full(0)
  for (const gradient of gradients.values()) {
    // Flattened before squaring: squares and sum then fuse, and the squares are not stored.
    const flat = reshape(gradient, [sizeOf(gradient.shape)])
    total = add(total, sum(mul(flat, flat)))
  }
  return sqrt(total)
}

/**
 * Scales gradients so that their global norm is at most `maxNorm`, as `torch.nn.utils.clip_grad_norm_`: by
 * `maxNorm / (norm + 1e-6)` where that is below 1.
 */
export function clipByGlobalNorm(gradients: Gradients, norm: Tensor, maxNorm: number): Gradients {
  const coefficient = min(div(maxNorm, add(norm, 1e-6)), 1)
  return new Map([...gradients].map(([key, gradient]) => [key, mul(gradient, coefficient)]))
}
