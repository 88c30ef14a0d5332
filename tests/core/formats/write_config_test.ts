import { assertEquals } from "@std/assert"
import { spelledAs } from "../../../core/formats/json/write_config.ts"

Deno.test("whole numbers keep the point that they have in the file they come from", () => {
  const source =
    '{"cutoff": 2.0, "eps": 1e-5, "nested": {"theta": 10000.0}, "layers": 2, "scale":3.0, "text": "is 4.0"}'
  const config = { cutoff: 2, eps: 1e-5, nested: { theta: 10000 }, layers: 2, scale: 5, text: "is 4", more: 2 }
  const text = spelledAs(source, JSON.stringify(config, null, 2))
  assertEquals(JSON.parse(text), config)
  assertEquals([...text.matchAll(/"(\w+)": \d+\.0(?=[\n,])/g)].map(([, name]) => name), ["cutoff", "theta"])
})
