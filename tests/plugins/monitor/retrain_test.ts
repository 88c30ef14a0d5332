import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import {
  type MonitorEvent,
  type Retrainer,
  retrainer,
  type RetrainOptions,
  type WindowReport,
} from "../../../plugins/monitor/mod.ts"
import { openJournal } from "../../../plugins/monitor/retrain/journal.ts"
import { runProblems } from "../../../core/run/mod.ts"
import { METHODS } from "../../../plugins/all/mod.ts"
import { failure, fullAt, inDirectory, run as runFiles } from "../../core/formats/support.ts"
import { fakeTarget, optionsIn, qualityOf, rowsBy, writeAdapter } from "./fake_retrain.ts"

const run = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>) => runFiles(Effect.scoped(effect))

const report = (alarms: ReadonlyArray<string>): WindowReport => ({
  kind: "live",
  window: 1,
  rows: 9,
  values: {},
  alarms,
})
const typesOf = ({ events }: Pick<Retrainer, "events">) => events.map(({ type }) => type)

/** Drift, judged rows, a better adapter, good live figures. */
const story = (options: RetrainOptions, live = 0.9) =>
  Effect.gen(function* () {
    const one = yield* retrainer(options)
    yield* one.report([report([]), report(["mmd embedding"])])
    yield* one.collect(rowsBy("first", 12, 0.5))
    yield* one.advance
    yield* one.collect(rowsBy(one.state().serving.name, 12, live, 12))
    yield* one.advance
    return one
  })

const WHOLE = ["opened", "window", "window", "asked", "started", "trained", "scored", "swapping", "swapped", "kept"]

Deno.test("an alarm starts a run on judged rows; a better adapter is swapped in and kept", () =>
  inDirectory(async (folder) => {
    const target = fakeTarget()
    const options = optionsIn(folder, target)
    const one = await run(story(options))
    assertEquals(typesOf(one), WHOLE)
    assertEquals([target.serving, one.state().phase], ["retrain-1", { name: "idle" }])
    assertEquals(qualityOf(target.loaded.get("retrain-1")!), 0.9)
    const kept = one.events.at(-1) as MonitorEvent & { readonly type: "kept" }
    assertEquals([kept.live.old, kept.live.new > 0.8], [0.5, true])

    const file = JSON.parse(Deno.readTextFileSync(`${options.folder}/runs/1/run.json`))
    assertEquals(runProblems(file, METHODS), [])
    assertEquals([file.model.path, file.replay.old.path], [`${folder}/model`, `${Deno.cwd()}/old.csv`])
    const linesOf = (path: string) =>
      Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line).text)
    const [train, fresh] = [linesOf(file.data.path), linesOf(`${options.folder}/runs/1/fresh.jsonl`)]
    assertEquals([...train, ...fresh].sort(), rowsBy("first", 12, 0).map(({ text }) => text).sort())
    assertEquals(fresh.length, 3)
  }))

Deno.test("a retrain waits for rows and for a question; one that brings nothing is rejected", () =>
  inDirectory((folder) =>
    run(Effect.gen(function* () {
      const one = yield* retrainer(optionsIn(folder, fakeTarget()))
      yield* one.collect(rowsBy("first", 12, 0.5))
      yield* one.report([report([])])
      assertEquals((yield* one.advance).phase.name, "idle")
      assertEquals(typesOf(one), ["opened", "window"])
      yield* one.ask("a person")
      assertEquals((yield* one.advance).phase.name, "watching")
      // Alarms of a retrain under way ask for nothing.
      yield* one.report([report(["ks length"])])
      yield* one.collect(rowsBy("retrain-1", 10, 1, 12))
      assertEquals((yield* one.advance).phase.name, "watching")
      yield* one.collect(rowsBy("retrain-1", 2, 1, 22))
      const { phase, asked } = yield* one.advance
      assertEquals([phase.name, asked], ["idle", undefined])
      yield* one.report([report(["ks length"])])
      yield* one.advance
      assertEquals(typesOf(one).slice(-5), ["asked", "started", "trained", "scored", "rejected"])
      assertEquals([one.state().serving.name, one.state().phase.name], ["retrain-1", "idle"])
    }))
  ))

Deno.test("a worse adapter, one that forgets, and a run that fails leave the first one serving", () =>
  inDirectory((folder) =>
    run(Effect.gen(function* () {
      const ends = [
        [{ quality: 0.4 }, "rejected"],
        // Better on new rows, worse on held-out ones.
        [{
          score: (adapter: string, file: string) =>
            Effect.sync(() => file.endsWith(".csv") ? 1 - qualityOf(adapter) : qualityOf(adapter)),
        }, "rejected"],
        [{ train: () => Effect.fail(new Error("no memory")) }, "failed"],
        [{ train: () => Effect.die("a defect") }, "failed"],
        [{ score: () => Effect.fail(new Error("no rows")) }, "failed"],
      ] as const
      for (const [i, [options, end]] of ends.entries()) {
        const target = fakeTarget()
        const one = yield* story(optionsIn(`${folder}/${i}`, target, options))
        assertEquals([typesOf(one).at(-1), target.serving, one.state().serving.name], [end, "first", "first"])
      }
      const target = fakeTarget(["retrain-1"])
      const one = yield* story(optionsIn(`${folder}/swap`, target))
      assertEquals(typesOf(one).slice(-2), ["swapping", "failed"])
      assertStringIncludes(JSON.stringify(one.events.at(-1)), "has another rank")
      assertEquals(target.serving, "first")
    }))
  ))

Deno.test("an adapter whose live figures are lower goes", () =>
  inDirectory(async (folder) => {
    const target = fakeTarget()
    const one = await run(story(optionsIn(folder, target), 0.3))
    assertEquals(typesOf(one).slice(-3), ["swapped", "rolling-back", "rolled-back"])
    assertEquals([target.serving, one.state().serving.name, one.state().phase.name], ["first", "first", "idle"])
  }))

Deno.test("whatever event is the last before a kill, the next process serves, goes on and ends at the same place", () =>
  inDirectory(async (folder) => {
    const live = { kept: 0.9, "rolled-back": 0.3 }
    for (const [end, right] of Object.entries(live)) {
      await run(story(optionsIn(`${folder}/${end}`, fakeTarget()), right))
      const log = Deno.readTextFileSync(`${folder}/${end}/monitor/events.jsonl`).trimEnd().split("\n")
      const types = log.map((line) => JSON.parse(line).type)
      assertEquals(types.slice(-1), [end])
      for (let kept = 1; kept <= log.length; kept++) {
        const copy = `${folder}/${end}-${kept}`
        const target = fakeTarget()
        const options = optionsIn(copy, target)
        Deno.mkdirSync(`${options.folder}/runs`, { recursive: true })
        const swapped = types.indexOf("swapped") < kept
        // A killed process may leave half a line, and half an adapter.
        const moved = log.slice(0, kept).join("\n").replaceAll(`${folder}/${end}/`, `${copy}/`)
        Deno.writeTextFileSync(`${options.folder}/events.jsonl`, `${moved}\n${log[kept]?.slice(0, 7) ?? '{"ty'}`)
        const rows = [...rowsBy("first", 12, 0.5), ...swapped ? rowsBy("retrain-1", 12, right, 12) : []]
        Deno.writeTextFileSync(
          `${options.folder}/judged.jsonl`,
          rows.map((row) => `${JSON.stringify(row)}\n`).join("") + '{"text": "to',
        )
        if (types.indexOf("trained") < kept) writeAdapter(`${options.folder}/runs/1/out/adapter`, 0.9)
        else if (types.indexOf("started") < kept) Deno.mkdirSync(`${options.folder}/runs/1/out`, { recursive: true })
        const one = await run(Effect.gen(function* () {
          const one = yield* retrainer(options)
          assert(target.serving === one.state().serving.name, `${end} ${kept}: ${target.serving} serves`)
          assertEquals(one.rows, rows)
          if (!types.slice(0, kept).includes("asked")) yield* one.report([report(["mmd embedding"])])
          yield* one.advance
          if (!swapped) yield* one.collect(rowsBy("retrain-1", 12, right, 12))
          yield* one.advance
          return one
        }))
        const own = typesOf(one).filter((type) => type !== "window")
        const again = types[kept - 1] === "started" ? 1 : 0
        assertEquals(own.filter((type) => type === "started").length, 1 + again)
        assertEquals([...new Set(own)], types.filter((type) => type !== "window"), `${end} ${kept}`)
        assertEquals(target.serving, end === "kept" ? "retrain-1" : "first")
        if (again === 1) assertStringIncludes(JSON.stringify(one.events), "/runs/1.2")
      }
    }
  }))

Deno.test("a full disk is a typed error, leaves the state as it was, and what follows is written whole", () =>
  inDirectory((folder) =>
    run(Effect.gen(function* () {
      const { entries, append } = yield* fullAt(2, openJournal<{ readonly i: number }>(`${folder}/a.jsonl`))
      yield* append([{ i: 1 }])
      const error = yield* Effect.flip(append([{ i: 2 }, { i: 3 }]))
      assertEquals([error._tag, error.reason], ["StorageError", "NoSpace"])
      // What a full disk took of it.
      Deno.writeTextFileSync(`${folder}/a.jsonl`, '{"i": 2}\n{"i', { append: true })
      yield* append([{ i: 4 }])
      assertEquals(entries, [{ i: 1 }, { i: 4 }])
      assertEquals(Deno.readTextFileSync(`${folder}/a.jsonl`), '{"i":1}\n{"i":4}\n')

      const target = fakeTarget()
      // The first write opens the log, the second is the question.
      const one = yield* fullAt(2, retrainer(optionsIn(folder, target)))
      assertEquals((yield* Effect.flip(one.ask("a person")))._tag, "StorageError")
      assertEquals([one.state().asked, typesOf(one)], [undefined, ["opened"]])
      yield* one.ask("a person")
      assertEquals(typesOf(one), ["opened", "asked"])
    }))
  ))

Deno.test("options, rows and logs that are wrong are typed errors", () =>
  inDirectory(async (folder) => {
    const options = optionsIn(folder, fakeTarget())
    const told = async (wrong: RetrainOptions, reason: string) => {
      const error = await failure(Effect.scoped(retrainer(wrong)))
      assertEquals([error._tag, error.reason], ["MonitorError", reason])
      return error.message
    }
    const options2 = { ...options, folder: `${folder}/none`, fewst: 3 } as RetrainOptions
    assertStringIncludes(await told(options2, "Options"), 'the nearest known one is "fewest"')
    assertStringIncludes(await told({ ...options, target: {} as RetrainOptions["target"] }, "Options"), "target.load")
    assertEquals(await Deno.stat(`${folder}/none`).catch(() => "absent"), "absent")
    const missing = { ...options, first: { name: "lost", folder: `${folder}/lost` } }
    assertStringIncludes(await told(missing, "Retrain"), 'the adapter "lost"')
    await Deno.remove(options.folder, { recursive: true })

    await run(Effect.gen(function* () {
      const one = yield* retrainer(options)
      const row = rowsBy("first", 1, 1)[0]
      for (const [change, part] of [[{ label: "c" }, "one of a, b"], [{ text: " " }, "text must be"]] as const) {
        const error = yield* Effect.flip(one.collect([row, { ...row, ...change }]))
        assertEquals([error._tag, error.reason], ["MonitorError", "Rows"])
        assertStringIncludes(error.message, `judged row 2: `)
        assertStringIncludes(error.message, part)
      }
      assertEquals(one.rows.length, 0)
    }))
    const path = `${options.folder}/events.jsonl`
    const log = Deno.readTextFileSync(path)
    Deno.writeTextFileSync(path, `${log}nonsense\n`)
    assertStringIncludes(await told(options, "Log"), "damaged at line 2")
    Deno.writeTextFileSync(path, `${log}{"type":"kept","id":1}\n`)
    assertStringIncludes(await told(options, "Log"), 'event 2 of the log, "kept", cannot follow "idle"')
  }))

Deno.test("a child that fails or cannot start says so; one that is interrupted ends", async () => {
  const program = new URL("./child_runs.ts", import.meta.url).href
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", program],
    cwd: new URL("../../../", import.meta.url),
  }).output()
  assertEquals(new TextDecoder().decode(stdout).trim().split("\n"), [
    "done",
    'Retrain the run "a.json" ended with code 3: why',
    'Retrain the run "a.json" cannot start: spawn no-such-program ENOENT',
    "interrupted, and its child is gone",
  ])
})
