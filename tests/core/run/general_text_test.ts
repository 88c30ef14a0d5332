import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import { fineTune } from "@espalier/espalier/promise"
import { generalText as read, type RunSpec } from "@espalier/espalier/run"
import * as Effect from "effect/Effect"
import { inDirectory } from "../../plugins/files.ts"
import { makeFiles, ON_ONE_THREAD } from "../../support/run_files.ts"

const NAME = "general text"
const generalText = (path?: string) => Effect.runPromise(Effect.provide(read(path), NodeFileSystem.layer))

/** Trains as a run says; its table of scores, and the report's words on the text. */
async function trained(spec: RunSpec) {
  const tuned = await fineTune(spec, { ...ON_ONE_THREAD, overwrite: true })
  await tuned.close()
  const report = await Deno.readTextFile(tuned.report)
  const [, told] = /<dt>general text<\/dt><dd>([^]*?)<\/dd>/.exec(report) ?? []
  return { forgetting: tuned.forgetting, told, table: /<h2>Forgetting<\/h2>[^]*?<\/section>/.exec(report)?.[0] ?? "" }
}

Deno.test("the text of the package is about four thousand characters; of a file, whole lines up to that", () =>
  inDirectory(async (directory) => {
    const own = await generalText()
    const count = own.rows.reduce((sum, { text }) => sum + text.length, 0)
    assert(own.rows.length === 12 && count > 3500 && count <= 4096, `${own.rows.length} texts, ${count} characters`)
    const file = `${directory}/a.txt`
    await Deno.writeTextFile(file, Array.from({ length: 50 }, (_, i) => `${i} `.padEnd(1000, "a")).join("\n"))
    assertEquals((await generalText(file)).rows.map(({ text }) => text.slice(0, 2).trim()), ["0", "1", "2", "3"])
    await Deno.writeTextFile(file, "a".repeat(5000))
    assertEquals((await generalText(file)).rows.length, 1)
    await Deno.writeTextFile(file, "")
    assertStringIncludes((await generalText(file).catch((error) => error)).message, "a.txt")
  }))

Deno.test("a language model is judged on general text before and after, unless it is turned off; the weights are the same", () =>
  inDirectory(async (directory) => {
    const files = await makeFiles(directory)
    const spec: RunSpec = { ...files, data: { path: files.data!.path, text: "text" }, task: "causal-lm" }
    const weights = () => Deno.readFile(`${spec.output}/adapter/adapter_model.safetensors`)
    const { forgetting, told, table } = await trained(spec)
    const adapter = await weights()
    const { before, after } = forgetting![NAME]
    assert(before.loss > 0 && before.loss !== after.loss)
    assertStringIncludes(told, `12 texts of this package, under Forgetting as &quot;${NAME}&quot;`)
    assertStringIncludes(table, `general text: Loss</th><td class="number">${before.loss.toFixed(4)}</td>`)

    const off = await trained({ ...spec, generalText: "none" })
    assertEquals([off.forgetting, off.told, off.table], [undefined, "not judged: generalText is none", ""])
    assertEquals(await weights(), adapter)

    await Deno.writeTextFile(`${directory}/own.txt`, "bread milk\nsun moon star")
    const own = await trained({ ...spec, generalText: `${directory}/own.txt` })
    assertStringIncludes(own.told, "2 texts of ")
    assert(own.forgetting![NAME].before.loss !== before.loss)
  }))

Deno.test("a report says why a classifier is not judged on general text", () =>
  inDirectory(async (directory) => {
    const { forgetting, told } = await trained(await makeFiles(directory))
    assertEquals([forgetting, told], [undefined, "not judged: a head for classification has no loss on plain text"])
  }))

Deno.test("of several tasks, the first with a loss on text is judged, under its name", () =>
  inDirectory(async (directory) => {
    const { data, ...rest } = await makeFiles(directory)
    const lines = { path: `${directory}/own.csv`, text: "text" }
    const spec: RunSpec = { ...rest, tasks: { topic: { data: data! }, words: { data: lines, task: "causal-lm" } } }
    const { forgetting, told } = await trained(spec)
    assertEquals(Object.keys(forgetting!), ["words"])
    assertStringIncludes(told, "under Forgetting as &quot;words&quot;")
    const taken = await trained({ ...spec, retain: { words: lines } })
    assertEquals(taken.told, "not judged: retain has rows of its own under that name")
    assert(taken.forgetting!.words.before.loss !== forgetting!.words.before.loss)
  }))
