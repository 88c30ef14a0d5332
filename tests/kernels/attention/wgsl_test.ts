import { attentionReference } from "../../../kernels/attention/reference.ts"
import type { AttentionCall } from "../../../kernels/contract.ts"
import type { Case } from "../_compare.ts"
import { attentionCases } from "./_cases.ts"
import { onEachForm } from "./_shaders.ts"

/** The first case, of one key, without it. */
const withoutKeys = (): Case => {
  const { call, buffers } = attentionCases[0]
  const { k, v, mask, ...others } = call as AttentionCall
  const none = {
    k: { ...k, shape: [1, 1, 0, 1] },
    v: { ...v, shape: [1, 1, 0, 1] },
    mask: { ...mask, shape: [1, 1, 0] },
  }
  return { name: "no keys", call: { ...others, ...none }, buffers }
}

onEachForm(
  "attention",
  [...attentionCases, withoutKeys()],
  (call, buffers) => attentionReference(call as AttentionCall, [...buffers]),
)
