import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type { TrainEvent } from "../../../../core/contracts/train_event.ts"
import { openRunFolder } from "../../../../core/training/run_folder/run_folder.ts"
import { RunFolderError } from "../../../../core/training/run_folder/run_folder_error.ts"

type Needs = FileSystem.FileSystem | Scope.Scope

/** Runs `body` in a folder of its own. */
function inFolder(name: string, body: (folder: string) => Effect.Effect<void, unknown, Needs>): void {
  Deno.test(name, async () => {
    const folder = await Deno.makeTempDir()
    try {
      await Effect.runPromise(body(folder).pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
    } finally {
      await Deno.remove(folder, { recursive: true })
    }
  })
}

/** The RunFolderError with which `effect` fails. */
const refusal = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert(error instanceof RunFolderError, String(error))
    return error
  })

const config = { model: "m", lora: { rank: 8, targets: ["q", "v"] }, seed: 1 }

const step = (number: number): TrainEvent => ({
  type: "step",
  step: number,
  totalSteps: 9,
  epoch: number / 9,
  loss: 1 / number,
  learningRate: 0.1,
  gradientNorm: 1,
  tokens: 10 * number,
  tokensPerSecond: 10,
  seconds: number,
  secondsLeft: 9 - number,
})
const checkpoint = (number: number): TrainEvent => ({ type: "checkpoint", step: number, path: `checkpoints/${number}` })
const message: TrainEvent = { type: "message", level: "warning", text: "Größe\nzwei" }

inFolder("a fresh run writes its files, and they can be read back", (folder) =>
  Effect.gen(function* () {
    const path = `${folder}/runs/a`
    const run = yield* openRunFolder({ path, config, resume: false })
    assertEquals(JSON.parse(Deno.readTextFileSync(`${path}/config.json`)), config)
    assert(Deno.statSync(run.checkpoints).isDirectory)
    assertEquals(yield* run.events, [])
    const log = yield* run.openLog(0)
    yield* log.append(message)
    yield* log.append(step(1))
    // Not only after the scope closes: a kill must lose nothing.
    assertEquals(Deno.readTextFileSync(`${path}/events.jsonl`).split("\n").length, 3)
    assertEquals(yield* run.events, [message, step(1)])
    yield* run.writeSummary({ test: { accuracy: 1 } })
    yield* run.writeReport("<p>")
    assertEquals(JSON.parse(Deno.readTextFileSync(`${path}/summary.json`)), { test: { accuracy: 1 } })
    assertEquals(
      [...Deno.readDirSync(path)].map(({ name }) => name).sort(),
      ["checkpoints", "config.json", "events.jsonl", "report.html", "summary.json"],
    )
  }))

inFolder(
  "a folder with another run, or with other files, is refused and left alone",
  (folder) =>
    Effect.gen(function* () {
      const path = `${folder}/a`
      yield* openRunFolder({ path, config, resume: false })
      const again = yield* refusal(openRunFolder({ path, config: { seed: 2 }, resume: false }))
      assertEquals(again.reason, "HoldsRun")
      assertEquals(JSON.parse(Deno.readTextFileSync(`${path}/config.json`)), config)

      Deno.mkdirSync(`${folder}/b`)
      Deno.writeTextFileSync(`${folder}/b/thesis.tex`, "")
      const other = yield* refusal(openRunFolder({ path: `${folder}/b`, config, resume: false }))
      assertEquals(other.reason, "NotEmpty")
      assertStringIncludes(other.message, "thesis.tex")
      assertEquals([...Deno.readDirSync(`${folder}/b`)].length, 1)

      Deno.mkdirSync(`${folder}/c`)
      Deno.writeTextFileSync(`${folder}/c/config.json.tmp-0123abcd`, "{")
      yield* openRunFolder({ path: `${folder}/c`, config, resume: false })
      assertEquals([...Deno.readDirSync(`${folder}/c`)].map(({ name }) => name).sort(), ["checkpoints", "config.json"])
    }),
)

inFolder("resuming needs a run there with the same configuration", (folder) =>
  Effect.gen(function* () {
    const path = `${folder}/a`
    const none = yield* refusal(openRunFolder({ path, config, resume: true }))
    assertEquals(none.reason, "NoRun")
    assertEquals([...Deno.readDirSync(folder)].length, 0)

    yield* openRunFolder({ path, config: { ...config, absent: undefined }, resume: false })
    yield* openRunFolder({ path, config: { absent: undefined, ...config }, resume: true })
    const changed = { model: "m", lora: { rank: 16, targets: ["q"] }, seed: 1, epochs: 2 }
    const differs = yield* refusal(openRunFolder({ path, config: changed, resume: true }))
    assertEquals(differs.reason, "ConfigDiffers")
    assertEquals(differs.fields, ["lora.rank", "lora.targets.1", "epochs"])
    assertStringIncludes(differs.message, "lora.rank (was 8, is 16)")
    assertStringIncludes(differs.message, "epochs (was nothing, is 2)")
  }))

inFolder("a resumed log goes on after its checkpoint", (folder) =>
  Effect.gen(function* () {
    const run = yield* openRunFolder({ path: folder, config, resume: false })
    const write = (from: number, ...events: Array<TrainEvent>) =>
      Effect.scoped(Effect.gen(function* () {
        const log = yield* run.openLog(from)
        for (const event of events) yield* log.append(event)
      }))
    yield* write(0, message, step(1), step(2), checkpoint(2), message, step(3), checkpoint(3), step(4))
    Deno.writeTextFileSync(`${folder}/events.jsonl`, `{"type":"st`, { append: true })
    assertEquals((yield* run.events).length, 8)

    yield* write(3, step(4))
    assertEquals((yield* run.events).slice(-3), [step(3), checkpoint(3), step(4)])
    yield* write(2, step(3))
    assertEquals(yield* run.events, [message, step(1), step(2), checkpoint(2), step(3)])
    // The checkpoint of step 1 was written, but the process died before it could be logged.
    yield* write(1)
    assertEquals(yield* run.events, [message, step(1)])
    yield* write(0, message)
    assertEquals(yield* run.events, [message])
  }))
