import { assert, assertEquals } from "@std/assert"

const read = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url))
const entries: ReadonlyArray<string> = Object.values(JSON.parse(read("deno.json")).exports)

Deno.test("every family that is published is among all of them", () => {
  const published = entries.filter((path) =>
    path.startsWith("./plugins/") && /^export const layer: Layer\.Layer<never, PluginError, Families>/m.test(read(path))
  )
  assert(published.length > 3, `${published}`)
  const listed = Array.from(
    read("plugins/families/mod.ts").matchAll(/from "\.\.\/(\w+)\/mod\.ts"/g),
    ([, name]) => name,
  )
  assertEquals(listed.sort(), published.map((path) => path.split("/")[2]).sort())
})
