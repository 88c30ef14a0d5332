/**
 * Products in float32 beside torch, jax-js and the peak of this machine.
 * @module
 */
import type { Contestant } from "../contest.ts"
import { flopsOf, ofLora, type Product, squares } from "../gemm.ts"
import { deno, torchTwice, versions } from "../peers.ts"
import { compare, gather, type Suite, webgpuAdapter } from "../suite.ts"

const suite = "gemm"

/** Floating-point operations of a turn, about. */
const TURN = 4e9

const event = (product: Product, backend: string) => ({
  suite,
  name: product.name,
  backend,
  unit: "GFLOPS",
  steps: Math.max(3, Math.min(20, Math.ceil(TURN / flopsOf(product)))),
  figure: (milliseconds: number) => flopsOf(product) / milliseconds / 1e6,
})

/** Floating-point operations of a step of the peak, at least: it is asked over threads, which takes a while. */
const LONG = 1e9

/** The same operations as fast as the processor can at all: the ratio to it is the share that is reached. */
const peak = (product: Product): Contestant => {
  const work = Math.ceil(LONG / flopsOf(product))
  return {
    ...deno("peak of FMA, 2 threads", "ours/peak.ts", String(work * flopsOf(product))),
    apart: true,
    work,
  }
}

/** Suite `gemm`. */
export const gemm: Suite = {
  name: suite,
  python: "peers",
  run: async (bench) => {
    for (const product of [...squares, ...ofLora]) {
      const text = JSON.stringify(product)
      const square512 = product.m === 512 && product.k === 512
      const peers = await gather(
        bench,
        suite,
        torchTwice(({ torch }) => `torch ${torch}`, "peers/torch_gemm.py", text),
        ...(square512 ? [deno(`jax-js ${versions.jaxJs} wasm`, "peers/jax_js_gemm.ts", "wasm", text)] : []),
        peak(product),
      )
      await compare(bench, event(product, "wasm"), deno("Espalier", "ours/gemm.ts", "wasm", text), peers)
    }
    const adapter = await webgpuAdapter(bench, suite)
    if (adapter === undefined) return
    const product = squares[1], text = JSON.stringify(product)
    const peer = deno(`jax-js ${versions.jaxJs} webgpu`, "peers/jax_js_gemm.ts", "webgpu", text)
    await compare(
      bench,
      { ...event(product, "webgpu"), name: `${product.name}, ${adapter}`, steps: 5 },
      deno("Espalier", "ours/gemm.ts", "webgpu", text),
      [peer],
    )
  },
}
