/**
 * From the start of a process to the end of its first LoRA step on MiniLM.
 *
 * Two starts follow each other in caches of their own: the first finds nothing compiled of what was installed, neither
 * TypeScript and packages here nor Python packages there, the second what the first one left. Deno and Python have their own
 * libraries compiled, as they come. pip compiles packages when it installs them, other installers do not: so the first
 * start here stands beside the second one there too. Files are in the system's cache for all: one round goes before.
 * @module
 */
import { type Contestant, median, start } from "../contest.ts"
import { loraCases, loraDirectory, ourLoraStep, peftStep } from "../lora.ts"
import { pythonDirectory } from "../peers.ts"
import { result } from "../result.ts"
import { gather, type Suite } from "../suite.ts"

const suite = "cold"

/** Compile caches of a contestant. */
interface Caches {
  /** By which it finds them. */
  readonly env: Readonly<Record<string, string>>
  /** Leaves in them nothing of what was installed. */
  readonly empty: () => Promise<void>
  /** Removes them. */
  readonly dispose: () => Promise<void>
}

/** A DENO_DIR with packages as they were downloaded. */
const denoCaches = async (): Promise<Caches> => {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output()
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout))
  const directory = await Deno.makeTempDir({ prefix: "bench-cold-deno-" })
  const dispose = () => Deno.remove(directory, { recursive: true })
  const empty = async () => {
    await dispose()
    await Deno.mkdir(directory)
    await Deno.symlink(npmCache, `${directory}/npm`)
  }
  return { env: { DENO_DIR: directory }, empty, dispose }
}

/** Bytecode, filed by the path of its source; that of the standard library stays from the first start on. */
const pythonCaches = async (): Promise<Caches> => {
  const directory = await Deno.makeTempDir({ prefix: "bench-cold-python-" })
  const remove = (path: string) => Deno.remove(path, { recursive: true })
  const empty = async () => {
    const installed = `${directory}${await pythonDirectory()}`
    await remove(installed).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error
    })
  }
  // Some machines forbid Python to write any.
  const env = { PYTHONPYCACHEPREFIX: directory, PYTHONDONTWRITEBYTECODE: "" }
  return { env, empty, dispose: () => remove(directory) }
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
  { state: "compile caches empty, the peer's filled", ours: "first", theirs: "second" },
] as const

/** Suite `cold`. */
export const cold: Suite = {
  name: suite,
  run: async (bench) => {
    const [minilm] = loraCases
    const directory = await loraDirectory(minilm)
    const peers = await gather(bench, suite, peftStep(directory).then((all) => all.slice(0, 1)))
    const contestants = [
      { contestant: ourLoraStep(directory), caches: await denoCaches() },
      ...await Promise.all(peers.map(async (contestant) => ({ contestant, caches: await pythonCaches() }))),
    ]
    const times = contestants.map((): Starts => ({ first: [], second: [] }))
    try {
      for (let round = -1; round < bench.rounds; round++) {
        for (const [i, { contestant, caches }] of contestants.entries()) {
          await caches.empty()
          const prepared = { ...contestant, env: { ...contestant.env, ...caches.env } }
          const first = await seconds(prepared), second = await seconds(prepared)
          // The first round only brings files into memory.
          if (round < 0) continue
          times[i].first.push(first)
          times[i].second.push(second)
        }
      }
    } finally {
      for (const { caches } of contestants) await caches.dispose()
    }
    const [own, ...others] = times
    for (const [i, { name: peerName }] of peers.entries()) {
      for (const { state, ours, theirs } of rows) {
        const name = `${minilm.name}, to the end of the first step, ${state}`
        const figures = { ours: median(own[ours]), peer: median(others[i][theirs]) }
        bench.take(result({ suite, name, backend: "wasm", unit: "s", peerName, ...figures }))
      }
    }
  },
}
