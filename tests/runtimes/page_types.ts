/**
 * Types of what pages run: against the browser's library and `@webgpu/types`, without Deno's and Node's.
 * @module
 */
import { fileURLToPath } from "node:url"

/** A `deno.json` by which scripts of pages are checked, for `deno check --config`. */
export function pageConfig(repository: URL): string {
  const path = (relative: string) => fileURLToPath(new URL(relative, repository))
  const { name, exports, imports, compilerOptions } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", repository)),
  )
  const own = Object.entries<string>(exports).map(([entry, file]) => [name + entry.slice(1), path(file)])
  return JSON.stringify({
    nodeModulesDir: "none",
    compilerOptions: { ...compilerOptions, lib: ["esnext", "dom", "dom.iterable"], types: [imports["@webgpu/types"]] },
    imports: { ...imports, ...Object.fromEntries(own) },
  })
}
