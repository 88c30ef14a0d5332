/**
 * Visibility as bits: a thread learns from one word which rows of a tile it has to do with.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import type { View } from "../contract.ts"
import { type Dispatch, type KernelContext, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { address, coordinates, PARAMETERS } from "../wgsl/places.ts"

const THREADS = 64

/**
 * Packs a mask along its last axis.
 *
 * @param mask Shape [batch, own, others].
 * @returns Words of type i32, a view of shape [batch, own, others / 32 rounded up], where what repeats has strides of 0;
 * bit u of word w is set where the mask is not 0 at 32 w + u.
 */
export const packMask = (
  mask: View,
  context: KernelContext,
): { readonly bits: View; readonly dispatch: Dispatch } => {
  const { shape: [batch, own, others], strides } = mask
  const shape = [strides[0] === 0 ? 1 : batch, strides[1] === 0 ? 1 : own, Math.ceil(others / 32)]
  const packed = stridesOf(shape), count = sizeOf(shape)
  const bits: View = {
    buffer: context.scratch(count),
    offset: 0,
    shape: [batch, own, shape[2]],
    strides: packed.map((stride, axis) => shape[axis] === 1 ? 0 : stride),
  }
  const shader = context.shader()
  const { load } = shader.read(mask.buffer, "f32"), { store } = shader.write(bits.buffer, "i32")
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(count / THREADS), context.device)
  const code = [
    `@compute @workgroup_size(${THREADS}) fn main(${PARAMETERS}) {`,
    `let place = ${number} * ${THREADS}u + thread;`,
    `if (place >= ${count}u) { return; }`,
    ...coordinates("place", shape, ["b", "i", "w"]),
    `let end = min(32u, ${others}u - w * 32u);`,
    `var word = 0u;`,
    `for (var u = 0u; u < end; u++) {`,
    `let s = w * 32u + u;`,
    `word |= select(0u, 1u << u, ${load(address(mask.offset, ["b", "i", "s"], strides))} != 0f);`,
    `}`,
    store("place", "bitcast<i32>(word)"),
    `}`,
  ]
  return { bits, dispatch: shader.finish({ label: `mask [${mask.shape}]`, code: code.join("\n"), workgroups }) }
}
