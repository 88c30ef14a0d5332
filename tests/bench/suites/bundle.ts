/**
 * Size of everything that core exports with LoRA and Llama, of a page that uses them, and of inference alone: what is loaded
 * at once and the larger of the two backends, minified and gzipped. There is no peer; it is held against a limit.
 * @module
 */
import { bundle as bundled } from "../../../examples/browser/bundle.ts"
import { result } from "../result.ts"
import type { Suite } from "../suite.ts"

const suite = "bundle"
/** Kilobytes (1000 bytes), gzipped. */
const LIMIT = 190

/** What is bundled, by name. */
const entries = {
  "all of mod.ts, LoRA and Llama": new URL("../ours/bundle.ts", import.meta.url),
  "inference alone": new URL("../../../plugins/inference/mod.ts", import.meta.url),
  "the page of examples/browser": new URL("../../../examples/browser/main.ts", import.meta.url),
}

/** Of these a page loads the one that it takes. */
const BACKENDS = ["core/backend/wasm/backend.ts", "core/backend/webgpu/backend.ts"]

const gzippedSize = async (code: string): Promise<number> =>
  (await new Response(new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"))).bytes()).length

/** Suite `bundle`. */
export const bundle: Suite = {
  name: suite,
  python: "no",
  run: async ({ take, note }) => {
    for (const [what, entry] of Object.entries(entries)) {
      const { files, later } = await bundled(entry)
      const sizes = new Map<string, number>()
      for (const [name, code] of Object.entries(files)) sizes.set(name, await gzippedSize(code))
      const sizeOf = (names: Iterable<string>) => Array.from(names, (name) => sizes.get(name)!).reduce((a, b) => a + b)
      const withBackends = BACKENDS.map((backend) => sizeOf(["main.js", ...later(backend)]))
      const zipped = Math.max(...withBackends)
      note(
        `bundle: ${what}: ${sizes.get("main.js")} bytes at once, ${withBackends.join(" with wasm, ")} with webgpu; ` +
          `${sizes.size - 1} files when they are wanted`,
      )
      const name = `${what}, minified and gzipped`
      const figures = { ours: zipped / 1000, peer: LIMIT, peerName: "the limit" }
      take(result({ suite, name, backend: "any", unit: "KB", ...figures }))
    }
  },
}
