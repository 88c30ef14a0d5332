import { onWasm } from "../_test_all.ts"
import { attentionCases } from "./_cases.ts"

Deno.test("attention: against float64, and alike on any number of threads", () => onWasm(attentionCases))
