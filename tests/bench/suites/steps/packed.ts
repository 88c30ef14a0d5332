/**
 * Weights that stay packed, on SmolLM2-135M or its shape: new tokens a second beside the same model in f32 and, where it is
 * there, llama.cpp; LoRA steps beside the same step in f32 and PEFT on bitsandbytes' NF4. Both with the peak of memory.
 * @module
 */
import { llamaCpp } from "../../../conformance/quantized/llama_cpp.ts"
import { contest, type Contestant } from "../../contest.ts"
import { loraDirectory, ourLoraStep, peftStep, quantizedCase } from "../../lora.ts"
import { peakOf } from "../../peak_memory.ts"
import { deno, here } from "../../peers.ts"
import { result } from "../../result.ts"
import { writeSmolLM2 } from "../../smollm2.ts"
import { type Bench, gather, type Suite } from "../../suite.ts"

const suite = "packed"
/** New tokens of a step, the first of them outside of the time. */
const TOKENS = 64

/** Runs ours beside the others, which compute other numbers; takes tokens a second and peaks. */
const beside = async (
  { rounds, take, note }: Bench,
  name: string,
  tokens: number,
  ours: Contestant,
  peers: ReadonlyArray<Contestant>,
): Promise<void> => {
  const all = [ours, ...peers].map((contestant) => ({ ...contestant, apart: true }))
  let peaks: ReadonlyArray<number> = []
  const times = await contest(all, { rounds, steps: 1 }, async (running) => {
    peaks = await Promise.all(running.map(({ pid }) => peakOf(pid).catch(() => NaN)))
  })
  const [own, ...others] = times
  if (own instanceof Error) throw own
  for (const [i, time] of others.entries()) {
    const peerName = peers[i].name
    if (time instanceof Error) note(`${suite}, ${name}: without "${peerName}": ${time.message}`)
    else {
      const common = { suite, backend: "wasm", peerName }
      const speed = (milliseconds: number) => 1000 * tokens / milliseconds
      take(result({ ...common, name, unit: "tokens/s", ours: speed(own), peer: speed(time) }))
      if (Number.isNaN(peaks[0] + peaks[i + 1])) continue
      take(result({ ...common, name: `${name}, peak RSS`, unit: "MB", ours: peaks[0], peer: peaks[i + 1] }))
    }
  }
}

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
    const packed = ours("Espalier", judge === undefined ? "Q4_1" : "stored")
    await beside(bench, `${name}, Q4_1, one row`, TOKENS - 1, packed, [ours("Espalier itself, f32", "f32"), ...peers])
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

const steps = async (bench: Bench): Promise<void> => {
  const { name, tokens } = quantizedCase
  const directory = await loraDirectory(quantizedCase)
  const plain = { ...ourLoraStep(directory, "--weights", "f32"), name: "Espalier itself, f32" }
  const peers = await gather(bench, suite, peftStep(directory, "--nf4"))
  await beside(bench, `${name}, Q4_1`, tokens, ourLoraStep(directory, "--weights", "Q4_1"), [plain])
  await beside(bench, `${name}, NF4`, tokens, ourLoraStep(directory, "--weights", "NF4"), [plain, ...peers])
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
