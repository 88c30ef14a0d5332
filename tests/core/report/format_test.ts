import { assertEquals } from "@std/assert"
import { formatCount, formatMetric, formatSeconds } from "../../../core/report/format.ts"

Deno.test("numbers are written as people read them", () => {
  assertEquals([0, 7.4, 59.6, 754, 3723].map(formatSeconds), ["0:00", "0:07", "1:00", "12:34", "1:02:03"])
  assertEquals([0, 0.98765, 12.3456, 0.00002, -0.5].map(formatMetric), [
    "0.0000",
    "0.9877",
    "12.3456",
    "2.00e-5",
    "-0.5000",
  ])
  assertEquals([0, 999.6, 1234567].map(formatCount), ["0", "1,000", "1,234,567"])
})
