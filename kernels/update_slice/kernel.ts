import { sizeOf } from "../../core/tensor/shape.ts"
import type { Kernel } from "../kernel.ts"
import { contiguous } from "../view.ts"
import type { UpdateSliceCall } from "./call.ts"
import { updateSliceReference } from "./reference.ts"

/** Part of a state replaced in place. */
export const updateSlice: Kernel<UpdateSliceCall> = {
  name: "update_slice",
  views: { destination: "read write", source: "read", start: "read" },
  work: ({ destination, source, start }) => ({
    flops: 0,
    touches: [source, start, { ...destination, shape: source.shape }],
  }),
  shapes: ({ source, destination }) => `[${source.shape}] into [${destination.shape}]`,
  detail: ({ axis }) => ` along ${axis}`,
  lower: ([node], { buffer, copy, viewAs }) => {
    const [state, source, start] = node.inputs
    const destination = contiguous(buffer(node), node.shape)
    copy(state, destination)
    return {
      kernel: "update_slice",
      axis: node.attributes.axis as number,
      destination,
      source: viewAs(source, source.shape),
      start: viewAs(start, [sizeOf(start.shape)]),
    }
  },
  reference: updateSliceReference,
}
