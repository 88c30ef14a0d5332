/**
 * Memory of a LoRA step: the most that a process had in RAM beside PEFT, and what was planned beside what came of it. With
 * `--before CHECKOUT` the most beside an older checkout, encoding by encoding.
 * @module
 */
import { type Contestant, median, start } from "../contest.ts"
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import type { Account } from "../ours/lora_step.ts"
import { inCheckout } from "../peers.ts"
import { peakOf } from "../peak_memory.ts"
import { result } from "../result.ts"
import type { Suite } from "../suite.ts"

const suite = "memory"
const MB = 1e6
/** Steps that a process does before it is looked at. */
const STEPS = 3

const once = async (contestant: Contestant, accounts: boolean) => {
  const process = start(contestant)
  try {
    await process.ask(`step ${STEPS}`)
    const account = accounts ? await process.ask<Account>("account") : undefined
    return { peak: await peakOf(process.pid), account }
  } finally {
    await process.stop()
  }
}

/** Suite `memory`. */
export const memory: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    if (Deno.build.os !== "linux") return bench.note("memory: left out, only Linux tells the peak of another process")
    for (const one of loraCases) {
      const directory = await loraDirectory(one)
      const ours = [ourLoraStep(directory), ourLoraStep(directory, "--weights", "bf16")]
      const { before } = bench
      const peers = before === undefined
        ? (await peftStep(directory)).slice(0, 1).map((peer) => ({ ...peer, name: `${peer.name}, f32 weights` }))
        : ours.map((one) => inCheckout(one, before))
      const contestants = [...ours, ...peers]
      const peaks: Array<Array<number>> = contestants.map(() => [])
      const accounts: Array<Array<Account>> = ours.map(() => [])
      for (let round = 0; round < bench.rounds; round++) {
        for (const [i, contestant] of contestants.entries()) {
          const { peak, account } = await once(contestant, i < ours.length)
          peaks[i].push(peak)
          if (account !== undefined) accounts[i].push(account)
        }
      }
      for (const [i, weights] of ["f32", "bf16"].entries()) {
        const common = { suite, backend: "wasm", unit: "MB" }
        for (const [j, peer] of peers.entries()) {
          if (before !== undefined && i !== j) continue
          const name = `${one.name}, ${weights} weights, peak RSS`
          const figures = { ours: median(peaks[i]), peer: median(peaks[ours.length + j]) }
          bench.take(result({ ...common, name, ...figures, peerName: peer.name }))
        }
        if (before !== undefined) continue
        for (const part of ["weights", "optimizer", "activations"] as const) {
          const name = `${one.name}, ${weights} weights, RSS of ${part}`
          const middle = (of: "resident" | "planned") => median(accounts[i].map((account) => account[of][part])) / MB
          const figures = { ours: middle("resident"), peer: middle("planned") }
          bench.take(result({ ...common, name, ...figures, peerName: "planned" }))
        }
      }
    }
  },
}
