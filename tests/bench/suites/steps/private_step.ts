/**
 * Time and memory of a private LoRA step in plain ones: Espalier's in its own, Opacus' in PEFT's, by hooks and by ghost
 * clipping.
 * @module
 */
import { contest, type Contestant, type Running } from "../../contest.ts"
import { type LoraCase, loraDirectory, ourLoraStep, peftStep, privateCases } from "../../lora.ts"
import { peakOf } from "../../peak_memory.ts"
import { here, python } from "../../peers.ts"
import { result } from "../../result.ts"
import type { Bench, Suite } from "../../suite.ts"

const suite = "private"

/** Opacus in both ways. */
const opacusStep = async (directory: string): Promise<ReadonlyArray<Contestant>> => {
  const { path } = await python()
  return ["hooks", "ghost"].map((mode) => ({
    name: `Opacus 1.6.0, ${mode}`,
    command: [path, "-W", "ignore", `${here}peers/opacus_step.py`, directory, mode],
  }))
}

/** Peaks of the processes' resident memory, MB: NaN of one that is out, or where only time is known. */
const peaksOf = (running: ReadonlyArray<Running>): Promise<ReadonlyArray<number>> =>
  Promise.all(running.map(({ pid }) => peakOf(pid).catch(() => NaN)))

const measure = async ({ rounds, take, note }: Bench, one: LoraCase): Promise<void> => {
  const directory = await loraDirectory(one)
  const [peft] = await peftStep(directory)
  const peers = await opacusStep(directory)
  // Noise changes the loss after the first step.
  const all = [ourLoraStep(directory, "--private"), ourLoraStep(directory), peft, ...peers]
    .map((contestant) => ({ ...contestant, apart: true }))
  let peaks: ReadonlyArray<number> = []
  const times = await contest(all, { rounds, steps: 1 }, async (running) => {
    peaks = await peaksOf(running)
  })
  for (const [i, { name: peerName }] of peers.entries()) {
    const at = 3 + i
    const error = [times[1], times[2], times[at]].find((found) => found instanceof Error)
    if (error !== undefined) {
      note(`${suite}, ${one.name}: without "${peerName}": ${error.message}`)
      continue
    }
    const [ours, plain, theirPlain] = times as ReadonlyArray<number>
    const common = { suite, backend: "wasm", peerName }
    const theirs = times[at] as number
    take(result({ ...common, name: one.name, unit: "ms/step", ours, peer: theirs }))
    const inPlain = { ...common, unit: "plain steps" }
    take(result({ ...inPlain, name: `${one.name}, time`, ours: ours / plain, peer: theirs / theirPlain }))
    if (peaks.some(Number.isNaN)) continue
    const memory = { ours: peaks[0] / peaks[1], peer: peaks[at] / peaks[2] }
    take(result({ ...inPlain, name: `${one.name}, peak RSS`, ...memory }))
  }
}

/** Suite `private`. */
export const privateStep: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    for (const one of privateCases) await measure(bench, one)
  },
}
