/**
 * Size of everything that core exports with LoRA and Llama, and of a page that uses them: what is loaded at once, minified
 * and gzipped. There is no peer; it is held against a limit.
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

const gzippedSize = async (code: string): Promise<number> =>
  (await new Response(new Blob([code]).stream().pipeThrough(new CompressionStream("gzip"))).bytes()).length

/** Suite `bundle`. */
export const bundle: Suite = {
  name: suite,
  python: "no",
  run: async ({ take, note }) => {
    for (const [what, entry] of Object.entries(entries)) {
      const { files, atOnce } = await bundled(entry)
      let zipped = 0
      for (const name of atOnce) zipped += await gzippedSize(files[name])
      const later = Object.keys(files).length - atOnce.length
      note(`bundle: ${what}: ${atOnce.length} files at once, ${later} when they are wanted (a run's report)`)
      const name = `${what}, minified and gzipped`
      const figures = { ours: zipped / 1000, peer: LIMIT, peerName: "the limit" }
      take(result({ suite, name, backend: "any", unit: "KB", ...figures }))
    }
  },
}
