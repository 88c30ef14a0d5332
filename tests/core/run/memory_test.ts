import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { Backend, BackendError, Espalier } from "@espalier/espalier"
import { families, METHODS } from "@espalier/espalier/all"
import { layersOf, resolveRun, type RunSpec, trainRun } from "@espalier/espalier/run"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { inDirectory } from "../../plugins/files.ts"
import { makeFiles } from "../../support/run_files.ts"

/** Carries a run out on the CPU; what it forecast, and what lies in the backend's memory at its end. */
async function trained(spec: RunSpec, { lines = [], free }: { lines?: Array<string>; free?: number } = {}) {
  const base = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const all = Layer.mergeAll(families, ...layersOf(spec.methods, METHODS)).pipe(Layer.provideMerge(base))
  const observe = (event: { type: string; text?: string }) =>
    Effect.sync(() => event.type === "message" && void lines.push(event.text!))
  const program = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const readFileString: typeof fs.readFileString = (path, encoding) =>
      free !== undefined && path === "/proc/meminfo"
        ? Effect.succeed(`MemTotal: 99 kB\nMemAvailable: ${Math.floor(free / 1024)} kB\nSwapFree: 0 kB\n`)
        : fs.readFileString(path, encoding)
    const done = trainRun(yield* resolveRun(spec), { overwrite: true, observe })
    const { memory } = yield* Effect.provideService(done, FileSystem.FileSystem, { ...fs, readFileString })
    return { memory, lines, after: (yield* Backend).memory() }
  })
  return await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
}

/** Slots begin at multiples of 64 bytes, and batches of later epochs differ a little. */
const isNear = (forecast: number, used: number) =>
  assert(Math.abs(forecast / used - 1) < 0.02, `${forecast} forecast, ${used} used`)

const CHANGES: Readonly<Record<string, (spec: RunSpec) => RunSpec>> = {
  "LoRA": (spec) => spec,
  "accumulation": (spec) => ({ ...spec, training: { ...spec.training, batchSize: 4, gradientAccumulationSteps: 4 } }),
  "padded rows": (spec) => ({ ...spec, training: { ...spec.training, paddingFree: false } }),
  "an adapter": (spec) => ({ ...spec, methods: [{ method: "adapters", reductionFactor: 4 }] }),
  "a language model": (spec) => ({ ...spec, task: "causal-lm", data: { path: spec.data!.path, text: "text" } }),
}
for (const [name, change] of Object.entries(CHANGES)) {
  Deno.test(`the memory of a run is forecast: ${name}`, () =>
    inDirectory(async (directory) => {
      const spec = change(await makeFiles(directory))
      const { memory, lines, after } = await trained(spec)
      // The session's slots are free at the end: what is left are the weights.
      isNear(memory.frozenBytes + memory.trainedBytes, after.slotBytes)
      isNear(memory.temporaryBytes, after.temporaryBytes)
      assertEquals(
        memory.totalBytes,
        memory.frozenBytes + memory.trainedBytes + memory.stateBytes + memory.temporaryBytes,
      )
      const said = lines.findIndex((line) => line.startsWith("memory: "))
      assert(
        said >= 0 && said < lines.findIndex((line) => line.startsWith("before")),
        "it is told before the model is loaded",
      )
      assertStringIncludes(await Deno.readTextFile(`${spec.output}/report.html`), "<dt>memory</dt><dd>forecast ")
    }))
}

Deno.test("a run that the machine has no room for is refused before its model is loaded, with what would fit, and that does", () =>
  inDirectory(async (directory) => {
    const files = await makeFiles(directory)
    const spec = { ...files, training: { ...files.training, batchSize: 32, paddingFree: false } }
    const { memory } = await trained(spec)
    await Deno.remove(spec.output, { recursive: true })
    const lines: Array<string> = []
    const free = memory.totalBytes - memory.temporaryBytes / 2
    const { reason, message } = await assertRejects(() => trained(spec, { lines, free }), BackendError)
    assertEquals(reason, "OutOfMemory")
    assertStringIncludes(message, "No room for the run: it needs ")
    assertEquals(lines.map((line) => line.split(":")[0]), ["backend", "data"])
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["model", "own.csv"])

    const [, size, steps] = /training\.batchSize (\d+) with gradientAccumulationSteps (\d+) \(/.exec(message) ?? []
    assert(Number(size) < 32 && Number(size) * Number(steps) === 32, message)
    const less = { batchSize: Number(size), gradientAccumulationSteps: Number(steps) }
    const fitting = await trained({ ...spec, training: { ...spec.training, ...less } }, { free })
    assert(fitting.memory.totalBytes <= free)
    const nothing = await assertRejects(() => trained(spec, { free: memory.frozenBytes }), BackendError)
    assertStringIncludes(nothing.message, "take a smaller model, or one in fewer bits")
  }))

Deno.test("a run that the backend has no room for is refused", () =>
  inDirectory(async (directory) => {
    const { training, ...spec } = await makeFiles(directory)
    const large = { ...spec, training: { ...training, batchSize: 2 ** 20, paddingFree: false } }
    const { message } = await assertRejects(() => trained(large), BackendError)
    assertStringIncludes(message, '"temporaries"')
    assertStringIncludes(message, "What would fit: training.batchSize ")
  }))
