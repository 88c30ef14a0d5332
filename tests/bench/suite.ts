/**
 * What a suite is given, and how it runs a contest.
 * @module
 */
import { contest, type Contestant, type ContestLength } from "./contest.ts"
import { inCheckout } from "./peers.ts"
import { type Result, result } from "./result.ts"

/** What a suite is given. */
export interface Bench {
  /** Rounds that count. */
  readonly rounds: number
  /** Path of the training split of SST-2, where it was given. */
  readonly sst2?: string
  /** Path of an older checkout to measure beside this one, where it was given. */
  readonly before?: string
  /** Takes a result. */
  readonly take: (found: Result) => void
  /** Says something: what was left out, and why. */
  readonly note: (text: string) => void
}

/** A suite. */
export interface Suite {
  /** By which it is chosen. */
  readonly name: string
  /** Most rounds that it does, where that is not as many as are asked for. */
  readonly most?: number
  /** Whether it runs only where it is named: it takes long, or much memory. */
  readonly named?: boolean
  /** Whether peers run in Python, and whether without it nothing of the suite can: then its models are made there too. */
  readonly python: "no" | "peers" | "needed"
  /** Measures. */
  readonly run: (bench: Bench) => Promise<void>
}

/** What a contest is about, and how times become figures. */
export interface Event extends Pick<Result, "suite" | "name" | "backend" | "unit">, Pick<ContestLength, "steps"> {
  /** Milliseconds of a step as a figure of the unit. Default: themselves. */
  readonly figure?: (milliseconds: number) => number
}

/** The peers that can be there; those that cannot are noted. */
export const gather = async (
  { note }: Bench,
  what: string,
  ...peers: ReadonlyArray<Contestant | Promise<ReadonlyArray<Contestant>>>
): Promise<ReadonlyArray<Contestant>> => {
  const present: Array<Contestant> = []
  for (const peer of peers) {
    try {
      present.push(...[await peer].flat())
    } catch (error) {
      note(`${what}: without peers in Python: ${(error as Error).message}`)
    }
  }
  return present
}

/** Runs a contest and takes its results, one a peer; an older checkout that was given stands in for all. */
export const compare = async (
  bench: Bench,
  { suite, name, backend, unit, steps, figure = (milliseconds) => milliseconds }: Event,
  ours: Contestant,
  peers: ReadonlyArray<Contestant>,
): Promise<void> => {
  const all = bench.before === undefined ? peers : [inCheckout(ours, bench.before)]
  if (all.length === 0) return bench.note(`${suite}, ${name}: left out, no peer is there`)
  const [own, ...others] = await contest([ours, ...all], { rounds: bench.rounds, steps })
  for (const [i, other] of others.entries()) {
    if (other instanceof Error) bench.note(`${suite}, ${name}: without "${all[i].name}": ${other.message}`)
    else {
      const common = { suite, name, backend, unit, peerName: all[i].name }
      bench.take(result({ ...common, ours: figure(own as number), peer: figure(other) }))
    }
  }
}

/** What WebGPU runs on, in its words; nothing where there is no adapter. */
export const webgpuAdapter = async ({ note }: Bench, suite: string): Promise<string | undefined> => {
  const adapter = await navigator.gpu?.requestAdapter() ?? null
  if (adapter === null) note(`${suite} on webgpu: left out, this machine has no adapter`)
  return adapter === null ? undefined : adapter.info.description || adapter.info.vendor
}
