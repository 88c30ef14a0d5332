import { assertEquals } from "@std/assert"
import { findWideVectors, tellNode } from "../../../../core/backend/wasm/wide_vectors.ts"

/** Globals of a Node of this version; what its V8 is told goes to `told`. */
const node = (version: string, told: Array<string>) => ({
  process: {
    versions: { node: version },
    getBuiltinModule: (name: string) =>
      name === "node:v8" ? { setFlagsFromString: (flags: string) => void told.push(flags) } : undefined,
  },
})
const flag = "--experimental-wasm-revectorize"

Deno.test("Node is told to join vectors from 24 on", () => {
  for (
    const [version, tells] of [["24.0.0", true], ["26.10.0", true], ["22.23.3", false], ["20.20.2", false]] as const
  ) {
    const told: Array<string> = []
    assertEquals(tellNode(node(version, told)), tells, version)
    assertEquals(told, tells ? [flag] : [], version)
  }
})

Deno.test("other runtimes are left alone: Deno, Bun, pages, pages with a `process` of a bundler", () => {
  const told: Array<string> = []
  const { process } = node("24.21.0", told)
  assertEquals(tellNode({ Deno: {}, process }), false)
  assertEquals(tellNode({ process: { ...process, versions: { node: "24.3.0", bun: "1.3.0" } } }), false)
  assertEquals(tellNode({}), false)
  assertEquals(tellNode({ process: {} }), false)
  assertEquals(told, [])
})

Deno.test("a Node that does not let its flags be set runs without", () => {
  const versions = { node: "24.21.0" }
  assertEquals(tellNode({ process: { versions } }), false)
  assertEquals(tellNode({ process: { versions, getBuiltinModule: () => undefined } }), false)
  const getBuiltinModule = () => ({
    setFlagsFromString: () => {
      throw new Error("not here")
    },
  })
  assertEquals(tellNode({ process: { versions, getBuiltinModule } }), false)
})

Deno.test("in Deno nothing is told, whatever is asked", () => {
  assertEquals([findWideVectors(true).told, findWideVectors(false).told], [false, false])
})
