/**
 * `peak.ts flops`: the fused multiply-adds that two threads can do in WebAssembly, from registers alone, in vectors of 256
 * bits where the engine joins them, else of 128. A step is that many operations.
 * @module
 */
import { findWideVectors } from "../../../core/backend/wasm/wide_vectors.ts"
import { f32x4, forRange, get, i32, ModuleBuilder, set } from "../../../kernels/wasm/assembler.ts"
import { joined } from "../../../kernels/wasm/wide.ts"
import { serve } from "../serve.ts"

const THREADS = 2, ACCUMULATORS = findWideVectors(false).wide ? 24 : 12, UNROLLED = 4, LANES = 4

/** A module with `peak(turns)`: the sum of what the accumulators hold at the end, so that nothing can be left out. */
const peakModule = (): WebAssembly.Module => {
  const module = new ModuleBuilder()
  const peak = module.func("peak", ["i32"], ["f32"], ({ local }, turns) => {
    const turn = local("i32"), x = local("v128"), y = local("v128")
    const sums = Array.from({ length: ACCUMULATORS }, () => local("v128"))
    const once = sums.map((sum) => set(sum, f32x4.relaxedMadd(get(x), get(y), get(sum))))
    return [
      set(x, f32x4.const(0.5)),
      set(y, f32x4.const(2 ** -20)),
      forRange(turn, i32.const(0), get(turns), 1, ...Array.from({ length: UNROLLED }, () => once)),
      sums.flatMap((sum, i) => i % 2 === 0 ? [joined(sum, sums[i + 1])] : []),
      f32x4.extractLane(sums.map(get).reduce((a, b) => f32x4.add(a, b)), 0),
    ]
  })
  module.export("peak", peak)
  return new WebAssembly.Module(module.encode())
}

const source = `onmessage = ({ data: module }) => {
  const { peak } = new WebAssembly.Instance(module).exports
  onmessage = ({ data: turns }) => postMessage(peak(turns))
}`
const module = peakModule()
const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }))
const workers = Array.from({ length: THREADS }, () => {
  const worker = new Worker(address, { type: "module" })
  worker.postMessage(module)
  return worker
})
const turns = Math.round(Number(Deno.args[0]) / (THREADS * ACCUMULATORS * UNROLLED * LANES * 2))

await serve(async () => {
  const sums = await Promise.all(workers.map((worker) =>
    new Promise<number>((resolve) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.postMessage(turns)
    })
  ))
  return sums[0]
})
workers.forEach((worker) => worker.terminate())
