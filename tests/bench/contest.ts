/**
 * Contests: contestants that do the same steps in turns, so that whatever else the machine does falls on all of them, and
 * only one computes at a time.
 * @module
 */
import type { StepTimes } from "./serve.ts"

/** A program that takes part. */
export interface Contestant {
  /** Its name with its version and what is special about it. */
  readonly name: string
  /** Program and arguments. */
  readonly command: ReadonlyArray<string>
  /** Environment, beside this process's own. */
  readonly env?: Readonly<Record<string, string>>
  /** Whether it does another kind of work, so that its loss is not the others'. Default: no. */
  readonly apart?: boolean
  /** How many steps' work one step of it is; its times are divided by that. Default 1. */
  readonly work?: number
}

/** A contestant that runs. */
export interface Running {
  /** Number of its process. */
  readonly pid: number
  /** Sends a line and gives what is answered. */
  readonly ask: <A>(line: string) => Promise<A>
  /** Ends it. */
  readonly stop: () => Promise<void>
}

/** Starts a contestant. */
export const start = ({ name, command: [program, ...args], env = {} }: Contestant): Running => {
  const child = new Deno.Command(program, { args, env: { ...env }, stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn()
  const input = child.stdin.getWriter()
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  let complaints = ""
  const listening = child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(text) {
        complaints = (complaints + text).slice(-2000)
      },
    }),
  )
  const ended = async (): Promise<never> => {
    await listening
    throw new Error(`"${name}" ended in the middle (${program} ${args.join(" ")}): ${complaints.trim()}`)
  }
  let text = ""
  const ask = async <A>(line: string): Promise<A> => {
    await input.write(new TextEncoder().encode(`${line}\n`)).catch(ended)
    while (true) {
      const end = text.indexOf("\n")
      if (end < 0) {
        const { done, value } = await output.read()
        if (done) return await ended()
        text += value
        continue
      }
      const answer = text.slice(0, end)
      text = text.slice(end + 1)
      // Libraries greet on standard output.
      if (answer.startsWith("{")) return JSON.parse(answer)
    }
  }
  const stop = async (): Promise<void> => {
    await input.close().catch(() => {})
    await output.cancel()
    await Promise.all([child.status, listening])
  }
  return { pid: child.pid, ask, stop }
}

/** The middle one, or the mean of the two in the middle. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** How long a contest is. */
export interface ContestLength {
  /** Turns of each contestant that count; one more before them does not. */
  readonly rounds: number
  /** Steps of a turn. */
  readonly steps: number
}

/** Steps after which losses are compared. */
const COMPARED = 3
const TOLERANCE = 1e-3

/**
 * Runs a contest. Gives the median over all steps of all rounds in milliseconds, or why a contestant is out: it failed, or
 * its loss is not that of the first, which must not fail.
 *
 * @param atEnd Sees the processes after the last round, before they end. Default: does nothing.
 */
export const contest = async (
  contestants: ReadonlyArray<Contestant>,
  { rounds, steps }: ContestLength,
  atEnd: (running: ReadonlyArray<Running>) => Promise<void> = () => Promise.resolve(),
): Promise<ReadonlyArray<number | Error>> => {
  const running = contestants.map(start)
  const times: Array<Array<number>> = contestants.map(() => [])
  const out: Array<Error | undefined> = contestants.map(() => undefined)
  let expected = NaN
  /** Steps of one contestant; a failure puts it out. */
  const turn = async (i: number, count: number): Promise<StepTimes | undefined> => {
    if (out[i] !== undefined) return undefined
    try {
      return await running[i].ask<StepTimes>(`step ${count}`)
    } catch (error) {
      if (i === 0) throw error
      out[i] = error as Error
      return undefined
    }
  }
  try {
    for (const [i, { name, apart }] of contestants.entries()) {
      const { loss } = await turn(i, COMPARED) ?? { loss: NaN }
      if (i === 0) expected = loss
      if (out[i] === undefined && !apart && !(Math.abs(loss - expected) <= TOLERANCE * Math.abs(expected))) {
        out[i] = new Error(`"${name}" has loss ${loss}, "${contestants[0].name}" ${expected}: not the same step`)
        if (i === 0) throw out[i]
      }
    }
    for (let round = -1; round < rounds; round++) {
      const order = [...contestants.keys()]
      // There and back: what one leaves behind, threads that still spin, does not always fall on the same next one.
      for (const i of round % 2 === 0 ? order : order.toReversed()) {
        const { milliseconds } = await turn(i, steps) ?? { milliseconds: [] }
        // The first round only warms up.
        if (round >= 0) times[i].push(...milliseconds.map((time) => time / (contestants[i].work ?? 1)))
      }
    }
    await atEnd(running)
  } finally {
    await Promise.all(running.map((one) => one.stop()))
  }
  return times.map((own, i) => out[i] ?? median(own))
}
