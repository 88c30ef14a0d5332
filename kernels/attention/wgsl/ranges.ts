/**
 * The keys that queries see, in WGSL: a range for each query, by arithmetic.
 * @module
 */
import { sizeOf } from "../../../core/tensor/shape.ts"
import type { View } from "../../contract.ts"
import { type Dispatch, type KernelContext, lineOfWorkgroups } from "../../wgsl/kernel.ts"
import { address, coordinates, PARAMETERS } from "../../wgsl/places.ts"
import { type AttentionOperands, keysOf } from "../call.ts"

const THREADS = 64

/** Shape of the table of ranges, [batch or 1, T, 2]: the first key and the one behind the last, in f32. */
const tableOf = ({ q, queryPositions, keyLengths, segments }: AttentionOperands): readonly [number, number, number] => {
  const alike = [queryPositions, keyLengths, segments].every((view) => view === undefined || view.strides[0] === 0)
  return [alike ? 1 : q.shape[0], q.shape[3], 2]
}
/** Number of elements of the table of ranges. */
export const rangesSize = (call: AttentionOperands): number => sizeOf(tableOf(call))

/** Makes the table in a buffer, from `offset` on. `seen` has the shape [batch, T, 2], and strides of 0 where it repeats. */
export const seenRanges = (
  call: AttentionOperands,
  context: KernelContext,
  buffer: number = context.scratch(rangesSize(call)),
  offset = 0,
): { readonly seen: View; readonly dispatch: Dispatch } => {
  const { q, prefix, causal, window, queryPositions, keyLengths, segments } = call
  const [entries, queries] = tableOf(call), count = entries * queries
  const keys = keysOf(call) - prefix
  const seen: View = {
    buffer,
    offset,
    shape: [q.shape[0], queries, 2],
    strides: [entries === 1 ? 0 : 2 * queries, 2, 1],
  }
  const shader = context.shader()
  const reader = (view: View, at: ReadonlyArray<string>): string =>
    shader.read(view.buffer, "i32").load(address(view.offset, at, view.strides))
  const { store } = shader.write(buffer, "f32")
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(count / THREADS), context.device)
  const search = (compare: string): ReadonlyArray<string> => [
    `a = 0u;`,
    `z = ${keys}u;`,
    `while (a < z) {`,
    `let m = (a + z) / 2u;`,
    `if (${reader(segments!, ["b", "m"])} ${compare} own) { a = m + 1u; } else { z = m; }`,
    `}`,
  ]
  const code = [
    `@compute @workgroup_size(${THREADS}) fn main(${PARAMETERS}) {`,
    `let place = ${number} * ${THREADS}u + thread;`,
    `if (place >= ${count}u) { return; }`,
    ...coordinates("place", [entries, queries], ["b", "t"]),
    `let p = ${queryPositions === undefined ? "i32(t)" : reader(queryPositions, ["b", "t"])};`,
    `var low = 0i;`,
    `var high = ${keys}i;`,
    ...causal ? [`high = min(high, p + 1i);`] : [],
    ...window === undefined ? [] : [`low = max(low, p - ${window - 1}i);`],
    ...window === undefined || causal ? [] : [`high = min(high, p + ${window}i);`],
    ...keyLengths === undefined ? [] : [`high = min(high, ${reader(keyLengths, ["b"])});`],
    ...segments === undefined || keys === 0 ? [] : [
      `let at = u32(clamp(p, 0i, ${keys - 1}i));`,
      `let own = ${reader(segments, ["b", "at"])};`,
      `var a = 0u;`,
      `var z = 0u;`,
      ...search("<"),
      `low = max(low, i32(a));`,
      ...search("<="),
      `high = min(high, i32(a));`,
    ],
    `if (high <= low) { low = 0i; high = 0i; }`,
    // A range that begins with the sequence begins with the prefix too.
    `if (low > 0i) { low += ${prefix}i; }`,
    `high += ${prefix}i;`,
    store(`${offset}u + 2u * place`, "f32(low)"),
    store(`${offset}u + 2u * place + 1u`, "f32(high)"),
    `}`,
  ]
  const dispatch = shader.finish({ label: `attention ranges ${queries}x${keys}`, code: code.join("\n"), workgroups })
  return { seen, dispatch }
}
