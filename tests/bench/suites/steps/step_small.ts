/**
 * The small GPT-like step beside jax-js, tfjs and torch.
 * @module
 */
import { deno, denoUnlocked, torchTwice, versions } from "../../peers.ts"
import { compare, gather, type Suite, webgpuAdapter } from "../../suite.ts"

const suite = "step-small"
const event = { suite, name: "GPT-like, width 128, 2 layers, 4 x 64", unit: "ms/step" }
const { jaxJs, tfjs } = versions

/** Suite `step-small`. */
export const stepSmall: Suite = {
  name: suite,
  python: "peers",
  run: async (bench) => {
    const peers = await gather(
      bench,
      suite,
      deno(`jax-js ${jaxJs} wasm`, "peers/jax_js_step.ts", "wasm"),
      // Emscripten's worker for Node fails there.
      denoUnlocked(`tfjs ${tfjs} wasm, 1 thread, more do not start in Deno`, "peers/tfjs_step.ts", "wasm"),
      torchTwice(({ torch }) => `torch ${torch} eager`, "peers/torch_step.py"),
    )
    await compare(
      bench,
      { ...event, backend: "wasm", steps: 10 },
      deno("Espalier", "ours/small_step.ts", "wasm"),
      peers,
    )
    const adapter = await webgpuAdapter(bench, suite)
    if (adapter === undefined) return
    await compare(
      bench,
      { ...event, name: `${event.name}, ${adapter}`, backend: "webgpu", steps: 3 },
      deno("Espalier", "ours/small_step.ts", "webgpu"),
      [
        deno(`jax-js ${jaxJs} webgpu`, "peers/jax_js_step.ts", "webgpu"),
        denoUnlocked(`tfjs ${tfjs} webgpu`, "peers/tfjs_step.ts", "webgpu"),
      ],
    )
  },
}
