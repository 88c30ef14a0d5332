import { attentionGradientReference } from "../../../kernels/attention_gradient/reference.ts"
import type { AttentionGradientCall } from "../../../kernels/attention_gradient/call.ts"
import { attentionGradientCases } from "../attention/cases.ts"
import { onEachForm } from "../attention/shaders.ts"

onEachForm(
  "attention_gradient",
  attentionGradientCases,
  (call, buffers) => attentionGradientReference(call as AttentionGradientCall, [...buffers]),
)
