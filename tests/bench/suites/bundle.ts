/**
 * Size of everything that core exports with LoRA and Llama, and of a page that uses them: minified and gzipped. There is no
 * peer; it is held against a limit.
 * @module
 */
import { bundle as bundled } from "../../../examples/browser/_bundle.ts"
import { result } from "../result.ts"
import type { Suite } from "../suite.ts"

const suite = "bundle"
/** Kilobytes (1000 bytes), gzipped. */
const LIMIT = 200

/** What is bundled, by name. */
const entries = {
  "all of mod.ts, LoRA and Llama": new URL("../ours/bundle.ts", import.meta.url),
  "the page of examples/browser": new URL("../../../examples/browser/main.ts", import.meta.url),
}

/** Suite `bundle`. */
export const bundle: Suite = {
  name: suite,
  run: async ({ take, note }) => {
    for (const [what, entry] of Object.entries(entries)) {
      const { code } = await bundled(entry)
      const zipped = await new Response(new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"))).bytes()
      note(`bundle: ${what}: ${code.length} bytes minified`)
      const name = `${what}, minified and gzipped`
      const figures = { ours: zipped.length / 1000, peer: LIMIT, peerName: "the limit" }
      take(result({ suite, name, backend: "any", unit: "KB", ...figures }))
    }
  },
}
