import { onWasm } from "../test_all.ts"
import { attentionGradientCases } from "../attention/cases.ts"

Deno.test("attention_gradient: against float64, and alike on any number of threads", () =>
  onWasm(attentionGradientCases))
