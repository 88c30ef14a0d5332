import { trainableParametersLine } from "../../../core/report/trainable_parameters.ts"
import { assertEquals } from "@std/assert"

Deno.test("the account of trainable parameters is PEFT's", () => {
  assertEquals(
    trainableParametersLine(294_912, 124_734_720),
    "trainable params: 294,912 || all params: 124,734,720 || trainable%: 0.2364",
  )
  assertEquals(trainableParametersLine(0, 0), "trainable params: 0 || all params: 0 || trainable%: 0.0000")
})
