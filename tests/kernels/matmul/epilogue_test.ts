import { onWasm } from "../test_all.ts"
import { epilogueCases } from "./epilogue_cases.ts"

Deno.test("epilogues in WebAssembly", () => onWasm(epilogueCases))
