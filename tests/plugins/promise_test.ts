import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { fineTune, type FineTuneOptions } from "@espalier/espalier/promise"
import { RunFileError, type RunSpec } from "@espalier/espalier/run"
import { RunFolderError, type TrainEvent, TrainingError } from "@espalier/espalier"
import { makeFiles, ON_ONE_THREAD } from "../support/run_files.ts"
import { inDirectory } from "./files.ts"

const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(path))

Deno.test("a run's object becomes a classifier that predicts, embeds, saves and closes", () =>
  inDirectory(async (directory) => {
    const files = await makeFiles(directory)
    const spec = { ...files, training: { ...files.training, epochs: 8 } }
    const events: Array<TrainEvent> = []
    const tuned = await fineTune(spec, { ...ON_ONE_THREAD, progress: (event) => void events.push(event) })
    assert(tuned.after.loss < tuned.before.loss)
    const steps = events.filter(({ type }) => type === "step")
    assertEquals([tuned.steps, tuned.reason], [steps.length, "finished"])
    const summary = await readJson(`${tuned.folder}/summary.json`)
    assertEquals([summary.base, summary.test], [tuned.before, tuned.after])
    assertStringIncludes(await Deno.readTextFile(tuned.report), "<h2>Evaluation</h2>")
    assert(events.some((event) => event.type === "message" && event.text.startsWith("data: ")))

    const [sky, food] = await tuned.predict(["sun moon star sky", "bread milk cheese apple"])
    assertEquals([sky.label, food.label], ["sky", "food"])
    assertEquals((await tuned.embed(["sun moon"])).map(({ length }) => length), [16])
    await tuned.save(`${directory}/again`)
    assertEquals(
      await readJson(`${directory}/again/adapter_config.json`),
      await readJson(`${tuned.adapter}/adapter_config.json`),
    )
    await assertRejects(() => tuned.generate("sun"), Error, "causal")
    await tuned.close()
    await tuned.close()
    await assertRejects(() => tuned.predict(["sun"]), Error, "The run was closed")
  }))

Deno.test("a language model generates; several tasks are asked by name", () =>
  inDirectory(async (directory) => {
    const { data: _, ...spec } = await makeFiles(directory)
    const plain = await fineTune(
      { ...spec, data: { path: `${directory}/own.csv`, text: "text" }, task: "causal-lm" },
      ON_ONE_THREAD,
    )
    const [one] = await plain.generate(["sun moon"], { maxNewTokens: 4, temperature: 0 })
    assertEquals(one, await plain.generate("sun moon", { maxNewTokens: 4, temperature: 0 }))
    assert(one.length > 0)
    await assertRejects(() => plain.predict(["sun"]), TrainingError, "its task is causal-lm")
    await plain.close()
    const data = { path: `${directory}/own.csv` }
    const both = await fineTune({ ...spec, tasks: { a: { data }, b: { data } } }, { ...ON_ONE_THREAD, overwrite: true })
    assert(both.after["a.loss"] < both.before["a.loss"] && both.after["b.loss"] < both.before["b.loss"])
    for (const task of ["a", "b"]) assertEquals((await both.predict(["sun moon star"], { task }))[0].label, "sky")
    await assertRejects(() => both.predict(["sun"], { task: "c" }), Error, '"c"')
    await both.close()
  }))

Deno.test("what is wrong is thrown before any work, typed, with all of it named", () =>
  inDirectory(async (directory) => {
    const spec = await makeFiles(directory)
    const wrong = { ...spec, methods: [{ method: "lora", rr: 2 }], training: { epochs: 0 } } as RunSpec
    const error = await assertRejects(() => fineTune(wrong, ON_ONE_THREAD), RunFileError)
    assertEquals(error._tag, "RunFileError")
    assertEquals(error.problems.length, 2)
    assertStringIncludes(error.message, 'unknown option "methods[0].rr"')
    await assertRejects(() => fineTune(undefined as unknown as RunSpec, ON_ONE_THREAD), RunFileError)
    for (
      const [options, message] of [
        [{ progres: () => {} }, 'unknown option "progres"; the nearest known one is "progress"'],
        [{ progress: "yes" }, "progress must be a function"],
        [{ signal: {} }, "signal must be an AbortSignal"],
        [null, "options must be an object"],
      ] as ReadonlyArray<readonly [unknown, string]>
    ) await assertRejects(() => fineTune(spec, options as FineTuneOptions), TrainingError, message)
    const reason = new Error("too late")
    assertEquals(await fineTune(spec, { signal: AbortSignal.abort(reason) }).catch((error) => error), reason)
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["model", "own.csv"])
    await Deno.mkdir(`${directory}/out`)
    for (const name of ["config.json", "events.jsonl"]) await Deno.writeTextFile(`${directory}/out/${name}`, "{}")
    const held = await assertRejects(() => fineTune(spec, ON_ONE_THREAD), RunFolderError)
    assertEquals(held.reason, "HoldsRun")
  }))

Deno.test("an aborted run leaves a folder that resumes to the weights of a run that was never stopped", () =>
  inDirectory(async (directory) => {
    const spec = await makeFiles(directory)
    const adapter = (folder: string) => Deno.readFile(`${folder}/adapter/adapter_model.safetensors`)
    const whole = await fineTune(spec, ON_ONE_THREAD)
    await whole.close()
    const output = `${directory}/stopped`
    const controller = new AbortController()
    const reason = new Error("enough")
    const stopped = await fineTune({ ...spec, output }, {
      ...ON_ONE_THREAD,
      signal: controller.signal,
      progress: (event) => event.type === "step" && event.step === 3 && controller.abort(reason),
    }).catch((error) => error)
    assertEquals(stopped, reason)
    const last = (await Deno.readTextFile(`${output}/events.jsonl`)).trim().split("\n").map((line) => JSON.parse(line))
      .at(-1)
    assertEquals([last.type, last.reason], ["stop", "interrupted"])
    assert(last.step >= 3 && last.step < whole.steps, `it stopped after step ${last.step}`)
    const resumed = await fineTune({ ...spec, output }, { ...ON_ONE_THREAD, resume: true })
    await resumed.close()
    assertEquals(resumed.after, whole.after)
    assertEquals(await adapter(output), await adapter(whole.folder))
  }))
