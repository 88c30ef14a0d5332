import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert"
import { Backend, BackendError, Espalier } from "@espalier/espalier"
import { families, METHODS } from "@espalier/espalier/all"
import { layersOf, type ResolvedRun, resolveRun, type RunSpec, trainRun } from "@espalier/espalier/run"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inDirectory } from "../../plugins/files.ts"
import { makeFiles } from "../../support/run_files.ts"

/** Carries a run out on the CPU; what it forecast, and what lies in the backend's memory at its end. */
async function trained(spec: RunSpec, lines: Array<string> = []) {
  const base = Espalier.layerWith({ backend: "wasm", wasm: { threads: 2 } })
  const all = Layer.mergeAll(families, ...layersOf(spec.methods, METHODS)).pipe(Layer.provideMerge(base))
  const observe = (event: { type: string; text?: string }) =>
    Effect.sync(() => event.type === "message" && void lines.push(event.text!))
  const program = Effect.gen(function* () {
    const run: ResolvedRun = yield* resolveRun(spec)
    const before = (yield* Backend).memory().slotBytes
    const { memory } = yield* trainRun(run, { overwrite: true, observe })
    return { memory, lines, before, after: (yield* Backend).memory() }
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
      const { memory, lines, before, after } = await trained(spec)
      assertEquals(before, 0)
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

Deno.test("a run that will not fit is refused before its model is loaded, with what would fit, and that does", () =>
  inDirectory(async (directory) => {
    const spec = await makeFiles(directory)
    const large = (batchSize: number) => ({ ...spec, training: { ...spec.training, batchSize, maxSteps: 1 } })
    const lines: Array<string> = []
    const { reason, message } = await assertRejects(() => trained(large(2 ** 18), lines), BackendError)
    assertEquals(lines.map((line) => line.split(":")[0]), ["backend", "data"])
    assertEquals(reason, "OutOfMemory")
    assert(/^No room for the run: it needs [\d.]+ MiB, .* are free\./.test(message), message)
    const [, size] = /What would fit: training\.batchSize (\d+) with gradientAccumulationSteps \d+ \(/.exec(message) ??
      []
    assert(Number(size) >= 2 ** 10 && Number(size) < 2 ** 18, message)
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["model", "own.csv"])
  }))
