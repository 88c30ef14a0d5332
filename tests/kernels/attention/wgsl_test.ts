import { attentionReference } from "../../../kernels/attention/reference.ts"
import type { AttentionCall } from "../../../kernels/attention/call.ts"
import { attentionCases } from "./cases.ts"
import { onEachForm } from "./shaders.ts"

onEachForm(
  "attention",
  attentionCases,
  (call, buffers) => attentionReference(call as AttentionCall, [...buffers]),
)
