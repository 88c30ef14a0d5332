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

Deno.test("lists of numbers keep their points, also beside infinity", () => {
  const source = '{"limit": [0.0, {"__float__": "Infinity"}], "sizes": [1, 2], "names": ["a 1.0"]}'
  const config = { limit: [0, { __float__: "Infinity" }], sizes: [1, 2], names: ["a 1.0"] }
  const text = spelledAs(source, JSON.stringify(config, null, 2))
  assertEquals(JSON.parse(text), config)
  assertEquals(text.match(/\d\.0/g), ["0.0", "1.0"])
})
