import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import type { ModuleInfo } from "../../../core/contracts/module_info.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import type { Selector } from "../../../core/contracts/site.ts"
import { select } from "../../../core/model/sites/selector.ts"

const module = (path: string, kind = "Linear", outputHead = false): ModuleInfo => {
  return { path, kind, sizes: {}, parameters: {}, outputHead, defaultTarget: false }
}
const modules = [
  module("body.layers.0", "Block"),
  module("body.layers.0.attention.q_proj"),
  module("body.layers.0.attention.kq_proj"),
  module("body.layers.1.attention.q_proj"),
  module("q_proj"),
  module("head", "Linear", true),
]
const chosen = (wanted: Selector, exclude?: Selector) =>
  select(modules, wanted, exclude, "test").map(({ path }) => path)

Deno.test("a list takes whole paths and ends after a dot, not parts of names", () => {
  assertEquals(chosen(["q_proj"]), ["body.layers.0.attention.q_proj", "body.layers.1.attention.q_proj", "q_proj"])
  assertEquals(chosen(["0.attention.q_proj"]), ["body.layers.0.attention.q_proj"])
})

Deno.test("a text is a regular expression for the whole path", () => {
  assertEquals(chosen(".*\\.0\\..*k?q_proj"), ["body.layers.0.attention.q_proj", "body.layers.0.attention.kq_proj"])
  assertEquals(chosen("q_proj|head"), ["q_proj", "head"])
})

Deno.test("all-linear leaves the output head out, and what is excluded is out", () => {
  assertEquals(chosen("all-linear", ["attention.q_proj"]), ["body.layers.0.attention.kq_proj", "q_proj"])
})

Deno.test("no match is an error that lists the candidates", () => {
  const error = assertThrows(() => chosen(["query"]), PluginError)
  assertStringIncludes(error.message, '["query"]')
  assertStringIncludes(error.message, "q_proj (Linear), kq_proj (Linear), head (Linear)")
  assertEquals(error.message.split("q_proj (Linear)").length, 3)
  assertThrows(() => chosen(["head"], "h.*"), PluginError, "excluded")
  assertThrows(() => chosen("q(proj"), PluginError, "not a regular expression")
})
