import type { Call, DType, View } from "../../../kernels/contract.ts"
import type { DecodeCall } from "../../../kernels/decode/kernel.ts"
import { type Encoding, inBlocks } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import type { Use } from "../../../kernels/kernel.ts"
import { copied, copyCall } from "../../../kernels/rows/call.ts"
import { contiguous } from "../../../kernels/view.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { mapViews } from "../fuse/accesses.ts"
import type { BufferSpec, Program } from "../program.ts"

/** Whether a view steps over whole blocks along one of its last two axes. */
const onBlocks = ({ offset, shape, strides }: View, block: number): boolean => {
  const along = strides.lastIndexOf(1)
  return along >= shape.length - 2 && shape[along] % block === 0 && offset % block === 0 &&
    strides.every((stride, axis) => axis === along || stride % block === 0 && stride >= 0)
}

/** Whether a kernel decodes a view as it loads it. */
const decodes = (use: Use, view: View, encoding: Encoding, isFar: boolean): boolean =>
  inBlocks(encoding)
    ? use === "read blocks" && onBlocks(view, encoding.block)
    : use === "read blocks" || use === "read encoded" && !isFar

/**
 * Puts copies before the calls whose kernels do not decode what they read.
 *
 * @param isFar Whether a buffer lies where only copies, and views with the use `"read blocks"`, are read. Default: none.
 */
export function widen(program: Program, isFar: (buffer: number) => boolean = () => false): Program {
  const { encodings, kernels } = program
  const buffers: BufferSpec[] = [...program.buffers]
  const calls: Call[] = []
  const temporary = (shape: ReadonlyArray<number>, dtype: DType = "f32"): View =>
    contiguous(buffers.push({ size: sizeOf(shape), dtype, source: { kind: "temporary" } }) - 1, shape)
  /** Of buffers in blocks, which are decoded as a whole. */
  const decoded = new Map<number, number>()
  for (const call of program.calls) {
    const copies = new Map<View, View>()
    const isCopy = copied(call) !== undefined
    const change = (view: View, use: Use): View => {
      const { storage, size, dtype } = buffers[view.buffer]
      const far = !isCopy && isFar(view.buffer)
      if (storage === undefined && !far) return view
      const encoding = encodingOf(storage, encodings)
      if (decodes(use, view, encoding, far)) return view
      if (inBlocks(encoding)) {
        let buffer = decoded.get(view.buffer)
        if (buffer === undefined) {
          const input = contiguous(view.buffer, [size]), output = temporary([size])
          calls.push({ kernel: "decode", input, output } as DecodeCall)
          decoded.set(view.buffer, buffer = output.buffer)
        }
        return { ...view, buffer }
      }
      let copy = copies.get(view)
      if (copy === undefined) {
        copy = temporary(view.shape, dtype)
        calls.push(copyCall(view, copy, dtype))
        copies.set(view, copy)
      }
      return copy
    }
    calls.push(mapViews(call, change, kernels))
  }
  return { ...program, buffers, calls }
}
