/**
 * Rows of an engine on SmolLM2-135M or its shape: new tokens a second of 16 rows that grow together beside those of one row, in f32
 * and in Q4_1; of one row beside llama.cpp and transformers.js, where they are there.
 * @module
 */
import { type LlamaCpp, llamaCpp } from "../../conformance/quantized/llama_cpp.ts"
import type { Contestant } from "../contest.ts"
import { deno, denoUnlocked, here, versions } from "../peers.ts"
import { FLAG, onnxModel } from "../peers/onnx/model.ts"
import { writeSmolLM2 } from "../smollm2.ts"
import { type Bench, compare, type Suite } from "../suite.ts"

const suite = "serving"
/** New tokens of a row in a step, the first of them outside of the time. */
const TOKENS = 64
const ROWS = 16

const event = (name: string) =>
  ({
    suite,
    name,
    backend: "wasm",
    unit: "tokens/s",
    steps: 1,
    figure: (milliseconds: number) => 1000 * (TOKENS - 1) / milliseconds,
  }) as const

const rows = (bench: Bench, model: string, what: string, weights: string, packed: boolean): Promise<void> => {
  const ours = (rows: number): Contestant => ({
    ...deno(rows === 1 ? "Espalier, one row" : "Espalier", "ours/serving.ts", `${rows}`, model, weights),
    work: rows,
    apart: true,
  })
  return compare(bench, event(`${ROWS} rows, ${what}, ${packed ? "Q4_1" : "f32"}`), ours(ROWS), [ours(1)])
}

/** In f32 it must make the same tokens as ours; its 4 bits are others. */
const transformersJs = (model: string, dtype: "fp32" | "q4"): Contestant => ({
  ...denoUnlocked(
    `transformers.js ${versions.transformersJs}, onnxruntime-node, ${dtype}, 2 threads`,
    "peers/transformers_js_decode.ts",
    model,
    dtype,
    `${TOKENS}`,
  ),
  apart: dtype === "q4",
})

const oneRow = async (bench: Bench, { python, model }: LlamaCpp, onnx: string | undefined): Promise<void> => {
  const ours = (weights: string) => deno("Espalier", "ours/serving.ts", "1", model, weights)
  const name = "one row, SmolLM2-135M-Instruct"
  const command = [python, "-W", "ignore", `${here}peers/llama_cpp_decode.py`, model, `${TOKENS}`]
  const peers: Array<Contestant> = [{ name: "llama.cpp, 2 threads", command, apart: true }]
  if (onnx === undefined) {
    bench.note(`${suite}: without transformers.js: ${FLAG} asks for its model, see CONTRIBUTING.md`)
  } else {
    await compare(bench, event(`${name}, f32`), ours("f32"), [transformersJs(onnx, "fp32")])
    peers.push(transformersJs(onnx, "q4"))
  }
  await compare(bench, event(`${name}, Q4_1`), ours("stored"), peers)
}

/** Suite `serving`. */
export const serving: Suite = {
  name: suite,
  most: 3,
  python: "no",
  run: async (bench) => {
    const judge = await llamaCpp()
    const onnx = judge && await onnxModel(judge.model)
    const directory = await Deno.makeTempDir()
    try {
      if (judge === undefined) await writeSmolLM2(directory)
      const model = judge?.model ?? directory
      const what = judge === undefined ? "random weights of SmolLM2-135M's shape" : "SmolLM2-135M-Instruct"
      await rows(bench, model, what, "f32", false)
      await rows(bench, model, what, judge === undefined ? "Q4_1" : "stored", true)
      if (judge !== undefined) await oneRow(bench, judge, onnx)
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  },
}
