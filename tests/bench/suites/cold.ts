/**
 * From the start of a process to the end of its first LoRA step on MiniLM.
 *
 * Espalier starts with an empty DENO_DIR but for the packages themselves: TypeScript is translated and everything compiled
 * anew. PEFT starts with the bytecode that pip compiled when it was installed, as it always has. Files are in the system's
 * cache for both: one start of each goes before.
 * @module
 */
import { type Contestant, median, start } from "../contest.ts"
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import { result } from "../result.ts"
import { gather, type Suite } from "../suite.ts"

const suite = "cold"

/** A DENO_DIR with packages and nothing that was compiled. */
const emptyCache = async (): Promise<string> => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout))
  const directory = await Deno.makeTempDir({ prefix: "bench-cold-" })
  await Deno.symlink(npmCache, `${directory}/npm`)
  return directory
}

const seconds = async (contestant: Contestant): Promise<number> => {
  const began = performance.now()
  const process = start(contestant)
  try {
    await process.ask("step 1")
    return (performance.now() - began) / 1000
  } finally {
    await process.stop()
  }
}

/** Suite `cold`. */
export const cold: Suite = {
  name: suite,
  run: async (bench) => {
    const [minilm] = loraCases
    const directory = await loraDirectory(minilm)
    const peers = await gather(bench, suite, peftStep(directory).then((all) => all.slice(0, 1)))
    const times: { empty: Array<number>; filled: Array<number>; peers: Array<Array<number>> } = {
      empty: [],
      filled: [],
      peers: peers.map(() => []),
    }
    for (let round = -1; round < bench.rounds; round++) {
      const cache = await emptyCache()
      try {
        const ours = { ...ourLoraStep(directory), env: { DENO_DIR: cache } }
        const empty = await seconds(ours), filled = await seconds(ours)
        const theirs: Array<number> = []
        for (const peer of peers) theirs.push(await seconds(peer))
        // The first round only brings files into memory.
        if (round < 0) continue
        times.empty.push(empty)
        times.filled.push(filled)
        theirs.forEach((time, i) => times.peers[i].push(time))
      } finally {
        await Deno.remove(cache, { recursive: true })
      }
    }
    for (const [i, { name: peerName }] of peers.entries()) {
      for (const state of ["empty", "filled"] as const) {
        const name = `${minilm.name}, to the end of the first step, ${state} compile caches`
        const figures = { ours: median(times[state]), peer: median(times.peers[i]) }
        bench.take(result({ suite, name, backend: "wasm", unit: "s", peerName, ...figures }))
      }
    }
  },
}
