/**
 * Rows of an engine on SmolLM2-135M or its shape: new tokens a second of 16 rows that grow together beside those of one row, in f32
 * and in Q4_1; of one row beside llama.cpp, where it is there.
 * @module
 */
import { llamaCpp } from "../../conformance/quantized/llama_cpp.ts"
import type { Contestant } from "../contest.ts"
import { deno, here } from "../peers.ts"
import { writeSmolLM2 } from "../smollm2.ts"
import { type Bench, compare, type Suite } from "../suite.ts"

const suite = "serving"
/** New tokens of a row in a step, the first of them outside of the time. */
const TOKENS = 64
const ROWS = 16

const rows = (bench: Bench, model: string, what: string, weights: string, packed: boolean): Promise<void> => {
  const ours = (rows: number): Contestant => ({
    ...deno(rows === 1 ? "Espalier, one row" : "Espalier", "ours/serving.ts", `${rows}`, model, weights),
    work: rows,
    apart: true,
  })
  const event = {
    suite,
    name: `${ROWS} rows, ${what}, ${packed ? "Q4_1" : "f32"}`,
    backend: "wasm",
    unit: "tokens/s",
    steps: 1,
    figure: (milliseconds: number) => 1000 * (TOKENS - 1) / milliseconds,
  } as const
  return compare(bench, event, ours(ROWS), [ours(1)])
}

const besideLlamaCpp = (bench: Bench, python: string, model: string): Promise<void> => {
  const event = {
    suite,
    name: "one row, SmolLM2-135M-Instruct, Q4_1",
    backend: "wasm",
    unit: "tokens/s",
    steps: 1,
    figure: (milliseconds: number) => 1000 * (TOKENS - 1) / milliseconds,
  } as const
  const ours = { ...deno("Espalier", "ours/serving.ts", "1", model, "stored"), apart: true }
  const script = `${here}peers/llama_cpp_decode.py`
  const command = [python, "-W", "ignore", script, model, `${TOKENS}`]
  return compare(bench, event, ours, [{ name: "llama.cpp, 2 threads", command, apart: true }])
}

/** Suite `serving`. */
export const serving: Suite = {
  name: suite,
  most: 3,
  python: "no",
  run: async (bench) => {
    const judge = await llamaCpp()
    const directory = await Deno.makeTempDir()
    try {
      if (judge === undefined) await writeSmolLM2(directory)
      const model = judge?.model ?? directory
      const what = judge === undefined ? "random weights of SmolLM2-135M's shape" : "SmolLM2-135M-Instruct"
      await rows(bench, model, what, "f32", false)
      await rows(bench, model, what, judge === undefined ? "Q4_1" : "stored", true)
      if (judge !== undefined) await besideLlamaCpp(bench, judge.python, judge.model)
    } finally {
      await Deno.remove(directory, { recursive: true })
    }
  },
}
