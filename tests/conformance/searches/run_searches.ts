/**
 * Greedy and beam search of small random models of the families, beside transformers in each environment: tokens and scores.
 * Part of `deno task conformance`, under the name `searches`.
 * @module
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { beams, generate } from "../../../core/inference/mod.ts"
import type { Model } from "../../../core/model/mod.ts"
import type { Case } from "../cases.ts"
import { environments, execute, pythonEnvironment, scripts, workspace } from "../environment.ts"
import { promise, tasksOf, withModel } from "../espalier_case.ts"
import { digest } from "../reference.ts"

/** A text that a search found; greedy search has no score. */
interface Found {
  readonly ids: ReadonlyArray<number>
  readonly score: number | null
}

/** What searches_reference.py writes for a family. */
interface Searches {
  readonly prompts: ReadonlyArray<ReadonlyArray<number>>
  readonly stop: number
  /** Of each setting and prompt, best first. */
  readonly found: ReadonlyArray<ReadonlyArray<ReadonlyArray<Found>>>
}

type Settings = Readonly<Record<string, number | boolean | string>>
const SETTINGS: ReadonlyArray<Settings> = [
  { num_beams: 1 },
  { num_beams: 3, num_return_sequences: 3 },
  { num_beams: 4, num_return_sequences: 4, length_penalty: 2.0 },
  { num_beams: 4, length_penalty: -1.0, early_stopping: true },
  { num_beams: 3, length_penalty: 0.5, early_stopping: "never" },
  { num_beams: 2, no_repeat_ngram_size: 2, repetition_penalty: 1.3 },
]
/** Wrong settings: instead of which, and what is wrong. */
const CONTROLS: ReadonlyArray<readonly [of: number, name: string, Settings]> = [
  [0, "beams for greedy search", { num_beams: 4 }],
  [2, "no length penalty", { ...SETTINGS[2], length_penalty: 0 }],
  [5, "repeated n-grams", { num_beams: 2 }],
]

const causal = (family: Case["model"]["family"], more: Partial<Case["model"]> = {}): Case["model"] => ({
  family,
  head: "causal",
  // Large enough that no two tokens are about as likely.
  std: 0.4,
  ...more,
})
/** A window that is shorter than the texts. */
const window = 5
/** Seeds are ones by which the controls find other texts. */
const FAMILIES: ReadonlyArray<{ readonly name: string; readonly model: object }> = [
  { name: "llama", model: causal("llama") },
  { name: "mistral", model: causal("mistral", { window }) },
  { name: "qwen2", model: causal("qwen2", { window }) },
  { name: "qwen3", model: causal("qwen3") },
  { name: "gemma3", model: causal("gemma3", { window, seed: 1 }) },
  { name: "gemma2", model: causal("gemma2", { window }) },
  { name: "smollm3", model: causal("smollm3") },
  { name: "granite", model: causal("granite") },
  { name: "gpt2", model: causal("gpt2", { seed: 1 }) },
  { name: "lfm2", model: causal("lfm2") },
  { name: "ettin", model: causal("modernbert-decoder") },
  { name: "t5", model: { family: "t5", head: "seq2seq", tied: true } },
  { name: "t5-untied", model: { family: "t5", head: "seq2seq", tied: false, seed: 1 } },
  { name: "mt5", model: { family: "mt5", head: "seq2seq", seed: 2 } },
]
/** Of a score, relative to it or to 1. */
const TOLERANCE = 1e-4

/** `num_beams` as `numBeams`. */
const named = (settings: Settings): { readonly numBeams: number; readonly numReturnSequences?: number } =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name.replace(/_(.)/g, (_, next) => next.toUpperCase()), value]),
  ) as { numBeams: number }

/** What the model finds for each prompt: of one beam a text without score. */
const search = (
  model: Model,
  { prompts, stop }: Searches,
  settings: Settings,
): Effect.Effect<ReadonlyArray<ReadonlyArray<Found>>, unknown> =>
  Effect.gen(function* () {
    const { numBeams, numReturnSequences = 1, ...more } = named(settings)
    const options = { numBeams, maxNewTokens: 12, stop: [stop], ...more }
    const ids = prompts.map((prompt) => Int32Array.from(prompt))
    const best = yield* generate(model, ids, options)
    if (numBeams === 1) return best.map((text) => [{ ids: [...text], score: null }])
    const texts = yield* Effect.forEach(ids, (prompt) => beams(model, prompt, { ...options, numReturnSequences }))
    return texts.map((own, i) => own.map(({ text, score }, at) => ({ ids: [...at === 0 ? best[i] : text], score })))
  })

/** What is found otherwise than there: nothing where all is equal. */
const differences = (
  expected: ReadonlyArray<ReadonlyArray<Found>>,
  found: ReadonlyArray<ReadonlyArray<Found>>,
): Array<string> =>
  expected.flatMap((texts, prompt) => {
    const where = `prompt ${prompt}: `
    if (found[prompt].length !== texts.length) return [`${where}${found[prompt].length} texts, not ${texts.length}`]
    return texts.flatMap(({ ids, score }, at) => {
      const own = found[prompt][at]
      if (`${own.ids}` !== `${ids}`) return [`${where}text ${at} is ${own.ids}, the reference ${ids}`]
      if (score === null || own.score === null) return []
      const error = Math.abs(own.score - score) / Math.max(1, Math.abs(score))
      return error <= TOLERANCE ? [] : [`${where}score ${at} is ${own.score}, the reference ${score}`]
    })
  })

/** Violations of a family by what was run. */
const judge = (model: Model, searches: Searches): Effect.Effect<ReadonlyMap<string, Array<string>>, unknown> =>
  Effect.gen(function* () {
    const results = new Map<string, Array<string>>()
    for (const [i, settings] of SETTINGS.entries()) {
      const name = Object.entries(settings).map(([key, value]) => `${key} ${value}`).join(", ")
      results.set(name, differences(searches.found[i], yield* search(model, searches, settings)))
    }
    for (const [of, name, settings] of CONTROLS) {
      const found = differences(searches.found[of], yield* search(model, searches, settings))
      results.set(`control: ${name}`, found.length > 0 ? [] : ["agrees with the reference, which it must not"])
    }
    const texts = searches.found.flat(2), ended = texts.filter(({ ids }) => ids.at(-1) === searches.stop).length
    const both = ended > 0 && ended < texts.length
    results.set("texts that end and texts that do not", both ? [] : [`${ended} of ${texts.length} end`])
    return results
  })

/** What transformers found, computed unless it has been for the same scripts, pins and settings. */
const referenceOf = async (environment: typeof environments[number], asked: string): Promise<string> => {
  const python = await pythonEnvironment(environment)
  const script = `${scripts}searches/searches_reference.py`
  const parts = ["", "_decoders", "_encoders", "_mixers", "_seq2seq"].map((part) => `${scripts}reference${part}.py`)
  const pins = `${scripts}${environment.requirements}`
  const directory = `${workspace}/searches-${await digest([script, ...parts, pins], [asked])}`
  if (await Deno.stat(directory).then(() => true, () => false)) return directory
  const partial = `${directory}.part`
  await Deno.remove(partial, { recursive: true }).catch(() => {})
  await Deno.mkdir(partial, { recursive: true })
  await Deno.writeTextFile(`${partial}/asked.json`, asked)
  await execute(python, ["-W", "ignore", script, `${partial}/asked.json`, partial], "inherit")
  await Deno.rename(partial, directory)
  return directory
}

/** Compares all families and prints a line for each; numbers of passed and failed comparisons, controls among them. */
export const runSearches = async (): Promise<{ readonly passed: number; readonly failed: number }> => {
  const asked = JSON.stringify({ families: FAMILIES, settings: SETTINGS })
  let passed = 0, failed = 0
  for (const environment of environments) {
    const directory = await referenceOf(environment, asked)
    for (const { name, model } of FAMILIES) {
      const searches: Searches = JSON.parse(Deno.readTextFileSync(`${directory}/${name}/searches.json`))
      const task = tasksOf({ model } as Case)
      const results = await withModel(
        Wasm.layer(),
        `${directory}/${name}/model`,
        task,
        Layer.empty as Layer.Layer<never>,
        (loaded) => promise(() => Effect.runPromise(judge(loaded, searches))),
      ).catch((error) => new Map([["loading", [String(error.stack ?? error)]]]))
      const wrong = [...results].filter(([, found]) => found.length > 0)
      console.log(`${wrong.length === 0 ? "ok    " : "FAILED"} ${name}, transformers ${environment.version}`)
      for (const [what, found] of wrong) console.log(`         ${what}: ${found.slice(0, 3).join("; ")}`)
      passed += results.size - wrong.length
      failed += wrong.length
    }
  }
  return { passed, failed }
}

if (import.meta.main) {
  const { passed, failed } = await runSearches()
  console.log(`${passed} passed, ${failed} failed`)
  Deno.exit(failed === 0 ? 0 : 1)
}
