/**
 * Size of everything that core exports with LoRA and Llama, for browsers: minified and gzipped. There is no peer; it is
 * held against a limit.
 * @module
 */
import { bundle as bundled } from "../../../examples/browser/_bundle.ts"
import { result } from "../result.ts"
import type { Suite } from "../suite.ts"

const suite = "bundle"
/** Kilobytes (1000 bytes), gzipped. */
const LIMIT = 200

/** Suite `bundle`. */
export const bundle: Suite = {
  name: suite,
  run: async ({ take, note }) => {
    const { code } = await bundled(new URL("../ours/bundle.ts", import.meta.url))
    const zipped = await new Response(new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"))).bytes()
    note(`bundle: ${code.length} bytes minified`)
    const name = "mod.ts, LoRA and Llama, minified and gzipped"
    const figures = { ours: zipped.length / 1000, peer: LIMIT, peerName: "the limit" }
    take(result({ suite, name, backend: "any", unit: "KB", ...figures }))
  },
}
