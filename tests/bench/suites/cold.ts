/**
 * From the start of a process to the end of its first LoRA step on MiniLM.
 *
 * Two starts follow each other in compile caches of their own: the first finds nothing compiled of what was installed, neither
 * TypeScript and packages here nor Python packages there, the second what the first one left. Deno and Python have their own
 * libraries compiled, as they come. pip compiles packages when it installs them: so the first start here stands beside the
 * second one there too. Files are in the system's cache for all: one round goes before. With `--before CHECKOUT` an older
 * checkout is the peer.
 * @module
 */
import { type Contestant, median, start } from "../contest.ts"
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import { inCheckout, python } from "../peers.ts"
import { result } from "../result.ts"
import type { Suite } from "../suite.ts"

const suite = "cold"

/** Compile caches of a contestant. */
interface Caches {
  /** By which it finds them. */
  readonly env: Readonly<Record<string, string>>
  /** Where they hold what was compiled of packages and programs. */
  readonly compiled: string
  /** Leaves nothing there. */
  readonly empty: () => Promise<void>
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false)
const remove = async (path: string): Promise<void> => {
  if (await exists(path)) await Deno.remove(path, { recursive: true })
}

/** A DENO_DIR with packages as they were downloaded. */
const denoCaches = async (directory: string): Promise<Caches> => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()
  if (!success) throw new Error("deno info --json failed")
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout))
  const empty = async () => {
    await remove(directory)
    await Deno.mkdir(directory)
    await Deno.symlink(npmCache, `${directory}/npm`)
  }
  return { env: { DENO_DIR: directory }, compiled: `${directory}/gen`, empty }
}

/** Bytecode, filed by the path of its source; that of the standard library stays from the first start on. */
const pythonCaches = async (directory: string): Promise<Caches> => {
  const compiled = `${directory}${(await python()).directory}`
  // Some machines forbid Python to write any.
  const env = { PYTHONPYCACHEPREFIX: directory, PYTHONDONTWRITEBYTECODE: "" }
  return { env, compiled, empty: () => remove(compiled) }
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

/** Seconds of the starts of a contestant, by round. */
interface Starts {
  readonly first: Array<number>
  readonly second: Array<number>
}

/** What is compared: a start here and one there. */
const rows = [
  { state: "compile caches empty", ours: "first", theirs: "first" },
  { state: "compile caches filled", ours: "second", theirs: "second" },
  { state: "compile caches empty, the peer's filled, as pip leaves them", ours: "first", theirs: "second" },
] as const

/** Suite `cold`. */
export const cold: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    const [minilm] = loraCases
    const directory = await loraDirectory(minilm)
    const ours = ourLoraStep(directory)
    const [peer] = bench.before === undefined ? await peftStep(directory) : [inCheckout(ours, bench.before)]
    const cachesOf = bench.before === undefined ? pythonCaches : denoCaches
    const own: Starts = { first: [], second: [] }, theirs: Starts = { first: [], second: [] }
    const temporary = await Deno.makeTempDir({ prefix: "bench-cold-" })
    try {
      const contestants = [
        { contestant: ours, caches: await denoCaches(`${temporary}/ours`), times: own },
        { contestant: peer, caches: await cachesOf(`${temporary}/peer`), times: theirs },
      ]
      for (let round = -1; round < bench.rounds; round++) {
        for (const { contestant, caches: { env, compiled, empty }, times } of contestants) {
          await empty()
          const prepared = { ...contestant, env: { ...contestant.env, ...env } }
          const first = await seconds(prepared)
          // Else the next round would not start in empty ones.
          if (!await exists(compiled)) throw new Error(`"${contestant.name}" left nothing compiled in ${compiled}`)
          const second = await seconds(prepared)
          // The first round only brings files into memory.
          if (round < 0) continue
          times.first.push(first)
          times.second.push(second)
        }
      }
    } finally {
      await remove(temporary)
    }
    // An older checkout is installed as this one is: the row of unlike starts is for pip.
    for (const row of bench.before === undefined ? rows : rows.filter(({ ours, theirs }) => ours === theirs)) {
      const name = `${minilm.name}, to the end of the first step, ${row.state}`
      const figures = { ours: median(own[row.ours]), peer: median(theirs[row.theirs]) }
      bench.take(result({ suite, name, backend: "wasm", unit: "s", peerName: peer.name, ...figures }))
    }
  },
}
