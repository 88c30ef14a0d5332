/**
 * `deno task retrain agnews=PATH [kills=20] [within=12000] [seed=1]`: the life of a classifier, with real training. It has
 * learned spam from SMS; news begin to come; a monitor has an alarm, a run on judged and old rows follows, and its adapter takes
 * over. The server is killed with SIGKILL at random moments, at most `within` milliseconds after its opening, and started again;
 * no judged row may be lost or doubled, an adapter must always serve, and no run may be left behind. Where a server comes to its
 * end before it is killed, the story begins anew, until there were so many `kills`. Prints what happened; ends with 1 where a
 * check fails.
 *
 * The file of AG News (text, topic, without a header) may not be shipped: tab-separated.
 * @module
 */
import { cp } from "node:fs/promises"
import { assert, assertEquals } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Dataset, Espalier, Model, Task, Trainer } from "@espalier/espalier"
import * as Llama from "@espalier/espalier/llama"
import * as Lora from "@espalier/espalier/lora"
import * as Monitor from "@espalier/espalier/monitor"
import { killedAtRandom } from "../../support/killed.ts"
import { BASE, LABELS, LORA, MAX_LENGTH, TRAINING } from "./settings.ts"

const given: Record<string, string> = { agnews: "", kills: "20", within: "12000", seed: "1" }
for (const argument of Deno.args) {
  const [name, value] = argument.split("=")
  if (!(name in given)) {
    throw new Error(`Expected agnews=PATH, kills=NUMBER, within=NUMBER or seed=NUMBER, got "${argument}"`)
  }
  given[name] = value
}
if (given.agnews === "") throw new Error("Say where the data of AG News lies: agnews=PATH")

type Row = { readonly text: string; readonly label: string }
const lines = (rows: ReadonlyArray<Row>) => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

/** The first adapter with its profile, held-out rows, old rows, and the stream. */
const prepared = (folder: string) =>
  Effect.gen(function* () {
    const columns = { text: "SMS", label: "Label" }
    const { train, test } = yield* Dataset.tsv("examples/data/sms_spam.tsv", columns).pipe(
      Dataset.split({ validation: 0, test: 0.7, seed: 1 }),
    )
    const news = yield* Dataset.tsv(given.agnews, { text: "text" }, { header: ["text", "topic"] })
    const rowsOf = ({ rows }: Dataset.LabeledData): ReadonlyArray<Row> =>
      rows.map(({ text, label }) => ({ text, label: LABELS[label] }))
    const sms = rowsOf(test)
    const mixed = Array.from({ length: 120 }, (_, i): ReadonlyArray<Row> => [
      sms[800 + i],
      { text: news.rows[i].text, label: "ham" },
    ]).flat()
    yield* Effect.promise(() => Deno.writeTextFile(`${folder}/held_out.jsonl`, lines(sms.slice(0, 300))))
    yield* Effect.promise(() => Deno.writeTextFile(`${folder}/old.jsonl`, lines(rowsOf(train).slice(0, 400))))
    yield* Effect.promise(() => Deno.writeTextFile(`${folder}/live.jsonl`, lines([...sms.slice(700, 820), ...mixed])))
    const model = yield* Model.load(BASE, { task: Task.classification(LABELS), seed: 1 })
    yield* Trainer.fit(model, { train: { ...train, rows: train.rows.slice(0, 1000) } }, TRAINING)
    yield* Model.saveAdapters(model, `${folder}/first/adapter`)
    const reference = { ...test, rows: test.rows.slice(0, 700) }
    yield* Monitor.saveProfile(yield* Monitor.profile(model, reference, { maxLength: MAX_LENGTH }), `${folder}/profile`)
  })

/** Entries of a file, without a last line that is not whole. */
function entriesOf<Entry>(path: string): ReadonlyArray<Entry> {
  try {
    return Deno.readTextFileSync(path).split("\n").slice(0, -1).map((line) => JSON.parse(line))
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return []
    throw error
  }
}

/** Processes that have a folder on their command line. */
const processesOf = (folder: string): ReadonlyArray<string> =>
  [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name) && name !== `${Deno.pid}`).flatMap(
    ({ name }) => {
      try {
        const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0")
        return words.some((word) => word.startsWith(`${folder}/`)) ? [words.join(" ")] : []
      } catch {
        return []
      }
    },
  )

/** How many kills came after which event. */
const killed: Record<string, number> = {}

/** The whole story once in a folder that is prepared; the number of kills, at most `count`. */
async function story(folder: string, count: number, seed: number): Promise<number> {
  const server = ["run", "--allow-all", "--no-check", new URL("server.ts", import.meta.url).pathname, folder]
  const events = () => entriesOf<Monitor.MonitorEvent>(`${folder}/monitor/events.jsonl`)
  const judgedRows = () => entriesOf<Monitor.JudgedRow>(`${folder}/monitor/judged.jsonl`)
  const stream = entriesOf<Row>(`${folder}/live.jsonl`)
  const { kills } = await killedAtRandom(server, {
    count,
    within: Number(given.within),
    from: "first line",
    seed,
    left: (printed) => {
      const told = Math.max(0, ...printed.map((line) => Number(/^rows (\d+)$/.exec(line)?.[1] ?? 0)))
      const rows = judgedRows()
      assert(rows.length >= told, `${told} judged rows were told, ${rows.length} are left`)
      assertEquals(rows.map(({ text, label }) => ({ text, label })), stream.slice(0, rows.length))
      const last = events().filter(({ type }) => type !== "window").at(-1)?.type ?? "nothing"
      killed[last] = (killed[last] ?? 0) + 1
      console.error(`killed after "${last}", ${rows.length} rows`)
    },
  })
  const all = events()
  assertEquals(judgedRows().map(({ text, label }) => ({ text, label })), stream)
  const served = new Set(["first", ...all.flatMap((event) => event.type === "swapping" ? [event.to.name] : [])])
  for (const { by } of judgedRows()) assert(served.has(by), `${by} never served`)
  await new Promise((resolve) => setTimeout(resolve, 2000))
  assertEquals(processesOf(folder), [])
  for (const event of all) {
    if (event.type !== "window" || event.report.alarms.length > 0) console.log(JSON.stringify(event))
  }
  assert(all.some(({ type }) => type === "kept"), "no retrain was kept")
  return kills
}

const folder = await Deno.makeTempDir()
try {
  const { method: _, ...lora } = LORA
  const Methods = Layer.merge(Lora.layer(lora), Llama.layer).pipe(Layer.provideMerge(Espalier.layer))
  await Deno.mkdir(`${folder}/prepared`)
  await Effect.runPromise(prepared(`${folder}/prepared`).pipe(Effect.scoped, Effect.provide(Methods)))
  const begun = performance.now(), count = Number(given.kills)
  let kills = 0, stories = 0
  while (kills < count) {
    stories++
    assert(
      stories <= count,
      `servers come to their end before they are killed: give a smaller within than ${given.within}`,
    )
    await cp(`${folder}/prepared`, `${folder}/${stories}`, { recursive: true })
    kills += await story(`${folder}/${stories}`, count - kills, Number(given.seed) + stories - 1)
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  console.log(`${kills} kills in ${stories} stories and ${seconds} s: ${JSON.stringify(killed)}`)
} finally {
  await Deno.remove(folder, { recursive: true })
}
