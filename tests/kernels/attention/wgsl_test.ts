import { attentionReference } from "../../../kernels/attention/reference.ts"
import type { AttentionCall } from "../../../kernels/attention/call.ts"
import { attentionCases } from "./_cases.ts"
import { onEachForm } from "./_shaders.ts"

onEachForm(
  "attention",
  attentionCases,
  (call, buffers) => attentionReference(call as AttentionCall, [...buffers]),
)
