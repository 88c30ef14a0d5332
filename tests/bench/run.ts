/**
 * `deno task bench [suite ...]`: Espalier beside its peers in the same run. Writes bench.json.
 *
 * Every contestant is a process that answers `step N` (see small_step.ts). They take turns, so that whatever else the machine
 * does falls on all of them, and only one computes at a time.
 * @module
 */
import { execute, workspace } from "../conformance/environment.ts"
import { flops as productFlops } from "./gemm.ts"
import type { StepTimes } from "./small_step.ts"

/** One program that runs the steps of a suite. */
interface Contestant {
  readonly name: string
  readonly command: ReadonlyArray<string>
}
/** One thing to measure. */
interface Suite {
  readonly name: string
  readonly backend: string
  /** Steps a round. */
  readonly steps: number
  /** Floating-point operations of a step, where the rate is of interest rather than the time. */
  readonly flops?: number
  /** Run once before; the suite needs it. */
  readonly prepare?: ReadonlyArray<string>
  readonly ours: Contestant
  readonly peers: ReadonlyArray<Contestant>
}
/** A line of bench.json. */
interface Result {
  readonly suite: string
  readonly name: string
  readonly backend: string
  readonly unit: "ms/step" | "GFLOPS"
  /** From medians over all steps of all rounds. */
  readonly ours: number
  readonly peer: number
  readonly peerName: string
  /** How many times better than the peer: above 1 is faster. */
  readonly ratio: number
}

const rounds = 6
const here = decodeURIComponent(new URL(".", import.meta.url).pathname)
const python = `${workspace}/python/bin/python`
const deno = (name: string, script: string, ...args: Array<string>): Contestant => ({
  name,
  command: [Deno.execPath(), "run", "-A", "--no-check", `${here}${script}`, ...args],
})
/** Model, adapter and batch of the LoRA step. */
const lora = `${workspace}/bench-lora`

const suites: ReadonlyArray<Suite> = [
  {
    name: "small-step",
    backend: "wasm",
    steps: 10,
    ours: deno("espalier", "ours/small_step.ts", "wasm"),
    peers: [
      deno("jax-js 0.1.25 wasm", "peers/jax_js_step.ts", "wasm"),
      { name: "torch 2.13 eager, 2 threads", command: [python, `${here}peers/torch_step.py`] },
    ],
  },
  {
    name: "small-step",
    backend: "webgpu",
    steps: 5,
    ours: deno("espalier", "ours/small_step.ts", "webgpu"),
    peers: [deno("jax-js 0.1.25 webgpu", "peers/jax_js_step.ts", "webgpu")],
  },
  ...["wasm", "webgpu"].map((backend) => ({
    name: "gemm",
    backend,
    steps: 10,
    flops: productFlops,
    ours: deno("espalier", "ours/gemm.ts", backend),
    peers: [deno(`jax-js 0.1.25 ${backend}`, "peers/jax_js_gemm.ts", backend)],
  })),
  {
    name: "lora-step",
    backend: "wasm",
    steps: 3,
    prepare: [python, `${here}peers/peft_step.py`, "--make", lora],
    ours: deno("espalier", "ours/lora_step.ts", lora),
    peers: [{ name: "PEFT 0.21, torch 2.13, 2 threads", command: [python, `${here}peers/peft_step.py`, lora] }],
  },
]

/** Starts a contestant; the function asks it for steps. */
const start = ({ name, command: [program, ...args] }: Contestant) => {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" }).spawn()
  const input = child.stdin.getWriter()
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const ask = async (steps: number): Promise<StepTimes> => {
    await input.write(new TextEncoder().encode(`step ${steps}\n`))
    let text = ""
    while (!text.endsWith("\n")) {
      const { done, value } = await output.read()
      if (done) throw new Error(`"${name}" ended in the middle: ${[program, ...args].join(" ")}`)
      text += value
    }
    return JSON.parse(text)
  }
  const stop = async (): Promise<void> => {
    await input.close()
    await output.cancel()
    await child.status
  }
  return { ask, stop }
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false)

/** Rounds of all contestants in turn: median time of each, after checking that all computed the same. */
const measure = async (contestants: ReadonlyArray<Contestant>, steps: number): Promise<Array<number>> => {
  const running = contestants.map(start)
  try {
    const times: Array<Array<number>> = contestants.map(() => [])
    for (const one of running) await one.ask(3)
    for (let round = 0; round < rounds; round++) {
      const losses: Array<number> = []
      for (const [i, one] of running.entries()) {
        const { milliseconds, loss } = await one.ask(steps)
        times[i].push(...milliseconds)
        losses.push(loss)
      }
      const apart = losses.findIndex((loss) => !(Math.abs(loss - losses[0]) <= 1e-3 * losses[0]))
      if (round === 0 && apart >= 0) {
        throw new Error(
          `"${contestants[apart].name}" has loss ${losses[apart]}, "${contestants[0].name}" ${
            losses[0]
          }: not the same step`,
        )
      }
    }
    return times.map(median)
  } finally {
    await Promise.all(running.map((one) => one.stop()))
  }
}

const chosen = suites.filter(({ name }) => Deno.args.length === 0 || Deno.args.includes(name))
if (chosen.length === 0) {
  throw new Error(`no suite of that name; there are ${suites.map(({ name }) => name).join(", ")}`)
}
const adapter = await navigator.gpu?.requestAdapter() ?? null
const results: Array<Result> = []
for (const { name, backend, steps, flops, prepare, ours, peers } of chosen) {
  if (backend === "webgpu") {
    if (adapter === null) {
      console.log(`${name} on webgpu: left out, this machine has no adapter`)
      continue
    }
    console.log(`${name} on webgpu: ${adapter.info.description || adapter.info.vendor}`)
  }
  const present: Array<Contestant> = []
  for (const peer of peers) {
    if (await exists(peer.command[0])) present.push(peer)
    else console.log(`${name}: without "${peer.name}", which needs the environment of \`deno task conformance\``)
  }
  if (present.length === 0) continue
  if (prepare) await execute(prepare[0], prepare.slice(1), "inherit")
  const [own, ...others] = await measure([ours, ...present], steps)
  const figure = (milliseconds: number) => flops === undefined ? milliseconds : flops / milliseconds / 1e6
  for (const [i, peer] of others.entries()) {
    const result: Result = {
      suite: name,
      name,
      backend,
      unit: flops === undefined ? "ms/step" : "GFLOPS",
      ours: figure(own),
      peer: figure(peer),
      peerName: present[i].name,
      ratio: peer / own,
    }
    results.push(result)
    console.log(
      `${name.padEnd(16)} ${backend.padEnd(6)} ours ${result.ours.toFixed(1).padStart(8)}   ${
        result.peerName.padEnd(28)
      } ${result.peer.toFixed(1).padStart(8)} ${result.unit}   ratio ${result.ratio.toFixed(2)}`,
    )
  }
}
await Deno.writeTextFile("bench.json", `${JSON.stringify(results, null, 2)}\n`)
