import type { View } from "../../../kernels/contract.ts"
import type { AttentionCall } from "../../../kernels/attention/call.ts"
import type { Case } from "../compare.ts"
import { onWasm } from "../test_all.ts"
import { attentionCases } from "./cases.ts"

Deno.test("attention: against float64, and alike on any number of threads", () => onWasm(attentionCases))

Deno.test("attention: a key that is no number makes none of what sees it, whichever NaN it is", () =>
  onWasm([0x7fc00000, 0x7fc00001, 0x7fffffff, 0xffffffff].map((bits): Case => {
    const given = attentionCases.find(({ name }) => name === "small")!
    const { k } = given.call as AttentionCall
    const keys = given.buffers[k.buffer].slice() as Float32Array<ArrayBuffer>
    new Uint32Array(keys.buffer)[k.offset + 5 * k.strides[2]] = bits
    return { ...given, name: `NaN ${bits.toString(16)}`, buffers: given.buffers.with(k.buffer, keys) }
  })))

/** The same elements, the last one along an axis first. */
const reversed = (view: View, axis: number): View => ({
  ...view,
  offset: view.offset + view.strides[axis] * (view.shape[axis] - 1),
  strides: view.strides.map((stride, i) => i === axis ? -stride : stride),
})

Deno.test("attention: operands that run backwards, lengths with gaps", () =>
  onWasm(attentionCases.map(({ name, call, buffers }): Case => {
    const { q, k, v, keyLengths, factor, ...rest } = call as AttentionCall
    const spread = keyLengths && Int32Array.from(
      { length: 2 * buffers[keyLengths.buffer].length },
      (_, i) => i % 2 === 0 ? buffers[keyLengths.buffer][i / 2] : 5,
    )
    return {
      name,
      call: {
        ...rest,
        q: reversed(q, 3),
        k: reversed(k, 2),
        v: reversed(v, 2),
        ...(keyLengths
          ? { keyLengths: { ...keyLengths, offset: 2 * keyLengths.offset, strides: [2 * keyLengths.strides[0]] } }
          : {}),
        // One that repeats runs forwards.
        ...(factor ? { factor: reversed(factor.shape[4] < k.shape[2] ? factor : reversed(factor, 4), 3) } : {}),
      },
      buffers: keyLengths && spread ? buffers.with(keyLengths.buffer, spread) : buffers,
      tolerance: 3e-5,
    }
  })))
