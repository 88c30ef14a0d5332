/**
 * `deno task load-test`: many clients at a server on this machine, with several adapters that are swapped meanwhile; a tenth of
 * the requests is left early. It fails on any error but 429, where memory grows, or where a row is not free at the end.
 *
 * ```sh
 * deno task load-test                        # 10 minutes, 64 clients
 * deno task load-test minutes=2 clients=16
 * ```
 *
 * @module
 */
import { prepare, start } from "./server.ts"

const given = new Map(Deno.args.map((word) => word.split("=") as [string, string]))
const minutes = Number(given.get("minutes") ?? 10), clients = Number(given.get("clients") ?? 64)
const ADAPTERS = ["first", "second", "third", "fourth"]
/** Growth of memory from the second quarter of the time to the last, above which it is not flat. */
const FLAT = 1.1

/** What happened. */
const account = {
  /** Milliseconds of whole answers, and to the first piece of streams. */
  whole: [] as Array<number>,
  first: [] as Array<number>,
  tokens: 0,
  refused: 0,
  left: 0,
  swaps: 0,
  errors: [] as Array<string>,
  /** MiB of the server, every few seconds. */
  memory: [] as Array<number>,
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const upTo = (most: number) => Math.floor(Math.random() * most)
const json = { "content-type": "application/json" }

/** A request of one client, which may leave before its answer is whole. */
async function ask(url: string): Promise<void> {
  const stream = Math.random() < 0.5, leaves = Math.random() < 0.1
  const leaving = new AbortController()
  const since = performance.now()
  const body = {
    model: ["small", ...ADAPTERS][upTo(5)],
    prompt: "Once upon a time ".repeat(1 + upTo(12)),
    max_tokens: 8 + upTo(40),
    temperature: 1,
    stream,
    ...stream ? { stream_options: { include_usage: true } } : {},
  }
  if (leaves) setTimeout(() => leaving.abort(), upTo(400))
  try {
    const answer = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: json,
      body: JSON.stringify(body),
      signal: leaving.signal,
    })
    if (answer.status === 429) {
      await answer.body?.cancel()
      account.refused++
      await pause(200 + upTo(1000 * Number(answer.headers.get("retry-after"))))
      return
    }
    if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`)
    const { tokens, first } = stream ? await readEvents(answer, since) : await readWhole(answer)
    account.tokens += tokens
    account.whole.push(performance.now() - since)
    if (first !== undefined) account.first.push(first)
  } catch (error) {
    if (leaving.signal.aborted) account.left++
    else account.errors.push((error as Error).message)
  }
}

const readWhole = async (answer: Response) => ({
  tokens: (await answer.json()).usage.completion_tokens as number,
  first: undefined,
})

async function readEvents(answer: Response, since: number) {
  let first: number | undefined
  let text = ""
  for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
    first ??= performance.now() - since
    text += part
  }
  const usage = /"completion_tokens":(\d+)/.exec(text)
  if (usage === null || !text.endsWith("data: [DONE]\n\n")) throw new Error(`a stream broke off: ${text.slice(-200)}`)
  return { tokens: Number(usage[1]), first }
}

/** Replaces adapters by one another, again and again. */
async function swap(url: string, directory: string, end: number): Promise<void> {
  while (performance.now() < end) {
    const [name, other] = [ADAPTERS[upTo(4)], ADAPTERS[upTo(4)]]
    const body = { lora_name: name, lora_path: `${directory}/${other}`, load_inplace: true }
    const answer = await fetch(`${url}/v1/load_lora_adapter`, {
      method: "POST",
      headers: json,
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    if (answer.ok) account.swaps++
    else account.errors.push(text)
    await pause(500)
  }
}

/** MiB of a process. */
async function memoryOf(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] }).output()
  return Number(new TextDecoder().decode(stdout)) / 1024
}

/** Rows that the server still has, once all clients are gone. */
async function rowsLeft(url: string): Promise<number> {
  for (let i = 0;; i++) {
    const text = await (await fetch(`${url}/metrics`)).text()
    const left = Number(/^espalier_rows\{model="small"\} (\d+)$/m.exec(text)?.[1])
    if (left === 0 || i === 20) return left
    await pause(250)
  }
}

const at = (values: ReadonlyArray<number>, share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]
const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`
const mean = (values: ReadonlyArray<number>) => values.reduce((a, b) => a + b, 0) / values.length

const directory = await Deno.makeTempDir()
const model = await prepare(directory, ADAPTERS)
const server = await start([
  ...["--model", model, "--adapter", ADAPTERS.map((name) => `${name}=${directory}/${name}`).join()],
  ...["--adapter-folders", directory, "--slots", "3", "--rank", "2", "--queue", "40"],
])
const { url } = server
const since = performance.now(), end = since + 60_000 * minutes
const client = async () => {
  while (performance.now() < end) await ask(url)
}
const watch = async () => {
  while (performance.now() < end) {
    account.memory.push(await memoryOf(server.child.pid))
    await pause(Math.min(5000, 1000 * minutes))
  }
}
await Promise.all([...Array.from({ length: clients }, client), swap(url, directory, end), watch()])
const took = (performance.now() - since) / 1000
const left = await rowsLeft(url)
await server.stop()
await Deno.remove(directory, { recursive: true })

const { whole, first, tokens, refused, swaps, errors, memory } = account
const quarter = Math.floor(memory.length / 4)
const [early, late] = [mean(memory.slice(quarter, 2 * quarter)), mean(memory.slice(-quarter))]
console.log(`${clients} clients for ${minutes} minutes, ${ADAPTERS.length} adapters in 3 slots, ${swaps} swaps`)
console.log(
  `answers: ${whole.length}, ${(whole.length / took).toFixed(1)} a second; tokens: ${
    (tokens / took).toFixed(0)
  } a second`,
)
console.log(`whole answers: median ${seconds(at(whole, 0.5))}, p95 ${seconds(at(whole, 0.95))}`)
console.log(`first piece of a stream: median ${seconds(at(first, 0.5))}, p95 ${seconds(at(first, 0.95))}`)
console.log(
  `refused (429): ${refused}; left early: ${account.left}; rows left at the end: ${left}; errors: ${errors.length}`,
)
console.log(`memory: ${early.toFixed(0)} MiB in the second quarter of the time, ${late.toFixed(0)} MiB in the last`)
const wrong = [...new Set(errors)].slice(0, 5)
if (left !== 0) wrong.push(`${left} rows are not free`)
if (late > FLAT * early) wrong.push("memory grows")
if (wrong.length > 0) throw new Error(wrong.join("; "))
