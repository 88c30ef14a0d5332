/**
 * Attention with a window beside all of it.
 * @module
 */
import { deno } from "../peers.ts"
import { compare, type Suite } from "../suite.ts"

const suite = "window"

/** Suite `window`. */
export const window: Suite = {
  name: suite,
  python: "no",
  run: (bench) =>
    compare(
      bench,
      { suite, name: "causal attention and derivatives, 4 x 64 at 4,096", backend: "wasm", unit: "ms/step", steps: 2 },
      deno("window of 256", "ours/window.ts", "256"),
      [deno("no window", "ours/window.ts")],
    ),
}
