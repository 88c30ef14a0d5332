/**
 * A program that is killed at random moments and started again.
 * @module
 */
import { makeRng } from "../../core/tensor/operations/random.ts"

/** How often, and when. */
export interface Kills {
  /** Number of kills. */
  readonly count: number
  /** Each comes so many milliseconds after the start, or after the first line that it prints, at most. */
  readonly within: number
  /** What the time is counted from: a loaded machine may take long until a program is open. */
  readonly from: "start" | "first line"
  /** Seed of the moments. */
  readonly seed: number
  /** Looks at what a killed process left, given all that it printed since the first start. */
  readonly left: (printed: ReadonlyArray<string>) => void
}

/**
 * Starts a program with Deno, kills it with SIGKILL at random moments, starts it again, and at last lets it end. Gives the lines
 * that all of its processes printed. A process that ends before its moment counts as none; after it there are no more kills.
 */
export async function killedAtRandom(
  args: ReadonlyArray<string>,
  { count, within, from, seed, left }: Kills,
): Promise<{ readonly printed: ReadonlyArray<string>; readonly kills: number }> {
  const rng = makeRng(seed, 7)
  const printed: Array<string> = []
  for (let kills = 0;; kills++) {
    const moment = kills < count ? rng.float() * within : Infinity
    const code = await runUntil(args, { moment, from }, printed)
    if (code === undefined) left(printed)
    else if (code === 0) return { printed, kills }
    else throw new Error(`it ended with ${code} after ${kills} kills: ${printed.slice(-20).join("\n")}`)
  }
}

/** Runs a program until it ends, or is killed; the code with which it ended itself. */
async function runUntil(
  args: ReadonlyArray<string>,
  { moment, from }: { readonly moment: number; readonly from: Kills["from"] },
  printed: Array<string>,
): Promise<number | undefined> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], stdout: "piped", stderr: "piped", stdin: "null" })
    .spawn()
  let timer: ReturnType<typeof setTimeout> | undefined
  const arm = () => {
    if (moment !== Infinity) timer ??= setTimeout(() => child.kill("SIGKILL"), moment)
  }
  if (from === "start") arm()
  const reading = child.stdout.pipeThrough(new TextDecoderStream())
  const errors = new Response(child.stderr).text()
  let text = ""
  for await (const piece of reading) {
    arm()
    text += piece
  }
  const { code, signal } = await child.status
  clearTimeout(timer)
  // The last line may be cut.
  printed.push(...text.split("\n").slice(0, -1))
  if (signal === "SIGKILL") return await errors.then(() => undefined)
  if (code !== 0) printed.push(await errors)
  else await errors
  return code
}
