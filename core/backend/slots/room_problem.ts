/**
 * Whether slots have room, told before memory is taken and files are read. Loaded on demand, and so without imports.
 * @module
 */
import type { SlotRequest } from "../backend.ts"

/** What a backend has room for. */
export interface Room {
  /** Most bytes of a tensor. */
  readonly tensor: number
  /** Free bytes. */
  readonly free: number
  /** Whether read-only slots have memory of their own, without a limit. */
  readonly frozenApart: boolean
}

const show = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** Why slots would not fit, for an error; undefined where they do. `bytesOf` are those of a slot, `what` names them all. */
export function roomProblem(
  { tensor, free, frozenApart }: Room,
  slots: ReadonlyArray<SlotRequest>,
  bytesOf: (slot: SlotRequest) => number,
  what: string,
): string | undefined {
  let all = 0, frozen = 0
  for (const slot of slots) {
    const bytes = bytesOf(slot)
    all += bytes
    if (slot.readOnly) frozen += bytes
    if (bytes <= tensor) continue
    return `No room for ${what}: "${slot.name}" [${slot.shape}] takes ${show(bytes)}, and a tensor has at most ` +
      `${show(tensor)} here. Keep it in fewer bits, or use the other backend (ESPALIER_BACKEND=wasm or webgpu).`
  }
  if ((frozenApart ? all - frozen : all) <= free) return undefined
  const advice = frozenApart
    ? "Train fewer parameters."
    : "This runtime gives WebAssembly one memory of at most 4 GiB: use Deno, Chromium, or Node from 22 on, which give " +
      "frozen weights further ones, or keep them in fewer bits."
  return `No room for ${what}: it needs ${show(all)}, ${show(frozen)} of them for frozen weights; ${show(free)} are ` +
    `free. ${advice}`
}
