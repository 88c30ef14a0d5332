/**
 * Weights that stay packed, on SmolLM2-135M or its shape: new tokens a second beside the same model in f32 and, where it is
 * there, llama.cpp; LoRA steps beside the same step in f32 and PEFT on bitsandbytes' NF4. Both with the peak of memory.
 * @module
 */
import { llamaCpp } from "../../../conformance/quantized/llama_cpp.ts"
import type { Contestant } from "../../contest.ts"
import { loraDirectory, ourLoraStep, peftStep, quantizedCase } from "../../lora.ts"
import { deno, here } from "../../peers.ts"
import { writeSmolLM2 } from "../../smollm2.ts"
import { type Bench, gather, type Suite } from "../../suite.ts"
import { besideWithPeaks } from "../../with_peaks.ts"

const suite = "packed"
/** New tokens of a step, the first of them outside of the time. */
const TOKENS = 64

const event = (name: string, tokens: number) => ({ suite, name, tokens })
/** The others compute other numbers. */
const apart = (contestant: Contestant): Contestant => ({ ...contestant, apart: true })

const decode = async (bench: Bench): Promise<void> => {
  const judge = await llamaCpp()
  const directory = await Deno.makeTempDir()
  try {
    if (judge === undefined) await writeSmolLM2(directory)
    const model = judge?.model ?? directory
    const ours = (name: string, weights: string) => deno(name, "ours/generate.ts", "decode", model, weights)
    const script = `${here}peers/llama_cpp_decode.py`
    const peers = judge === undefined
      ? []
      : [{ name: "llama.cpp, 2 threads", command: [judge.python, "-W", "ignore", script, model, `${TOKENS}`] }]
    const name = judge === undefined
      ? "decode, random weights of SmolLM2-135M's shape"
      : "decode, SmolLM2-135M-Instruct"
    const plain = ours("Espalier itself, f32", "f32")
    const packed = ours("Espalier", judge === undefined ? "Q4_1" : "stored")
    await besideWithPeaks(bench, event(`${name}, Q4_1, one row`, TOKENS - 1), packed, [plain, ...peers].map(apart))
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

const steps = async (bench: Bench): Promise<void> => {
  const { name, tokens } = quantizedCase
  const directory = await loraDirectory(quantizedCase)
  const plain = { ...ourLoraStep(directory, "--weights", "f32"), name: "Espalier itself, f32" }
  const peers = await gather(bench, suite, peftStep(directory, "--nf4"))
  const ours = (weights: string) => ourLoraStep(directory, "--weights", weights)
  await besideWithPeaks(bench, event(`${name}, Q4_1`, tokens), ours("Q4_1"), [plain].map(apart))
  await besideWithPeaks(bench, event(`${name}, NF4`, tokens), ours("NF4"), [plain, ...peers].map(apart))
}

/** Suite `packed`. */
export const packed: Suite = {
  name: suite,
  python: "peers",
  run: async (bench) => {
    await decode(bench)
    try {
      await steps(bench)
    } catch (error) {
      bench.note(`${suite}: without steps: ${(error as Error).message}`)
    }
  },
}
