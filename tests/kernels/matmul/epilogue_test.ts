import { onWasm } from "../_test_all.ts"
import { epilogueCases } from "./_epilogue_cases.ts"

Deno.test("epilogues in WebAssembly", () => onWasm(epilogueCases))
