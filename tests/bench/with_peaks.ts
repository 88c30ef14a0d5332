/**
 * Contests of time and memory in one.
 * @module
 */
import { contest, type Contestant } from "./contest.ts"
import { peakOf } from "./peak_memory.ts"
import { result } from "./result.ts"
import type { Bench } from "./suite.ts"

/** What such a contest is about. */
export interface TimedEvent {
  readonly suite: string
  readonly name: string
  /** Tokens of a step. */
  readonly tokens: number
}

/** Runs ours beside peers; takes tokens a second and, where it is known, the most memory that each process had. */
export const besideWithPeaks = async (
  { rounds, take, note }: Bench,
  { suite, name, tokens }: TimedEvent,
  ours: Contestant,
  peers: ReadonlyArray<Contestant>,
): Promise<void> => {
  let peaks: ReadonlyArray<number> = []
  const times = await contest([ours, ...peers], { rounds, steps: 1 }, async (running) => {
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
