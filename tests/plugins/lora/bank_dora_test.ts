/**
 * DoRA in a bank: rows of one batch through DoRA, plain LoRA and no adapter.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { layer as webgpu } from "../../../core/backend/webgpu/backend.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import { type AdapterError, engine, initialize, load, type Model, withAdapters } from "../../../core/inference/mod.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { predict } from "../../../core/training/evaluate.ts"
import { families } from "../../../plugins/families/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as Quantization from "../../../plugins/quantization/mod.ts"
import { onWebgpu } from "../../core/backend/webgpu/with_webgpu.ts"
import { texts, tokenizer } from "../../core/training/support.ts"
import { distance, fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { pair, random, writeAdapter } from "./adapters.ts"
import { textsOf } from "./bank_rows.ts"
import { SMALL_BERT, VALUE, WIDTH } from "./small_bert.ts"

type Needs = Backend | Plugins | Families | FileSystem.FileSystem | Scope.Scope
type Plugin = Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>

const WASM = wasm({ threads: 2 })

/** Runs with a backend, all families and these plugins. */
function on<A>(
  backend: Layer.Layer<Backend, unknown>,
  program: Effect.Effect<A, unknown, Needs>,
  ...plugins: ReadonlyArray<unknown>
): Promise<A> {
  const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.mergeAll(families, ...plugins as ReadonlyArray<Plugin>).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

/** A DoRA adapter's tensors at a module. */
const dora = (module: string, out: number, r: number, width: number, seed: number) => ({
  ...pair(module, out, r, width, seed),
  [`${module}.lora_magnitude_vector`]: random([out], seed + 0.3),
})

/** Writes adapters of the causal fixture: `a` and `c` are DoRA's, `b` is `a` without its lengths. */
async function writeCausal(directory: string): Promise<void> {
  const both = (part: string, make: typeof dora, out: number, ranks: readonly [number, number], seed: number) =>
    Object.assign(
      {},
      ...ranks.map((r, i) => make(`model.layers.${i}.self_attn.${part}`, out, r, WIDTH, seed + i)),
    )
  const a = { r: 2, lora_alpha: 3, target_modules: ["q_proj", "v_proj"], rank_pattern: { "1.self_attn.q_proj": 4 } }
  for (const [name, make] of [["a", dora], ["b", pair]] as const) {
    await writeAdapter(`${directory}/${name}`, { ...a, use_dora: make === dora }, {
      ...both("q_proj", make, 24, [2, 4], 1),
      ...both("v_proj", make, 12, [2, 2], 5),
    })
  }
  const c = { r: 3, lora_alpha: 2, use_rslora: true, use_dora: true, target_modules: ["v_proj"] }
  await writeAdapter(`${directory}/c`, c, both("v_proj", dora, 12, [3, 3], 9))
}

const NAMES = ["a", "", "b", "c", "a"]

for (const weights of ["f32", "bf16", "groups"] as const) {
  const plugins = weights === "groups" ? [Quantization.layer({ format: "grouped", groupSize: 8 })] : []
  const options = { task: Task.causalLM(), frozen: true, ...(weights === "groups" ? {} : { weights }) }
  const model = load(fixture("llama/mistral"), options)
  for (const [name, backend, test] of [["wasm", WASM, Deno.test], ["webgpu", webgpu(), onWebgpu]] as const) {
    test(`${name}: over ${weights}, a row through DoRA has the logits of the model with its adapter alone`, () =>
      inDirectory(async (directory) => {
        await writeCausal(directory)
        const alone: Array<ReadonlyArray<number>> = []
        for (const [i, adapter] of NAMES.entries()) {
          const rows = NAMES.map(() => ({}))
          const all = Effect.flatMap(model, (model) => Effect.flatMap(engine(model), (own) => textsOf(own, rows)))
          const own = adapter === "" ? [] : [Lora.fromPeft(`${directory}/${adapter}`)]
          alone.push((await on(WASM, all, ...plugins, ...own))[i])
        }
        const program = Effect.gen(function* () {
          const bank = Lora.bank({ slots: 2, rank: 4, targets: ["q_proj", "v_proj"], dora: true })
          const own = yield* engine(yield* model, { adapters: bank, rows: 4 })
          for (const name of ["a", "b", "c"]) yield* own.adapters.load(name, `${directory}/${name}`)
          // Three adapters and two slots: a row waits.
          const together = yield* textsOf(own, NAMES.map((adapter) => ({ adapter })))
          for (const [i, values] of together.entries()) {
            const off = distance(values, alone[i])
            assert(off < 5e-5, `row ${i}: ${off}`)
            for (const [j, others] of alone.entries()) {
              if (NAMES[i] !== NAMES[j]) assert(distance(values, others) > 1e-3, `row ${i} is row ${j}`)
            }
          }
          for (const row of [3, 0, 1]) {
            for (const beside of ["b", "c", ""]) {
              const rows = NAMES.map((other, i) => ({ adapter: i === row ? other : beside }))
              assertEquals((yield* textsOf(own, rows))[row], together[row], `row ${row} beside ${beside}`)
            }
          }
        })
        await on(backend, program, ...plugins)
      }))
  }
}

const LABELS = ["no", "yes"]
const rows = texts(6).rows.map(({ text }) => text)

/** Writes a classifier's adapter of a seed; its head is its own. */
async function writeClassifier(path: string, use_dora: boolean, seed: number): Promise<void> {
  const own = { task_type: "SEQ_CLS", r: 2, lora_alpha: 4, use_dora, target_modules: ["value"] }
  await writeAdapter(path, own, {
    ...(use_dora ? dora : pair)(VALUE, WIDTH, 2, WIDTH, seed),
    "classifier.weight": random([2, WIDTH], seed + 2),
    "classifier.bias": random([2], seed + 3),
  })
}

/** A classifier whose Linear modules have biases that are not zero. */
const classifier = Effect.gen(function* () {
  const model = yield* initialize(SMALL_BERT, { task: Task.classification(LABELS), seed: 5 })
  for (const { slot, name, module, shape } of model.parameters) {
    const [size] = shape
    if (name !== "bias" || module === "classifier") continue
    yield* Effect.promise(() => model.backend.write(slot, random([size], size).data))
  }
  return model
})

/** Probabilities of texts, one row each. */
const probabilities = (model: Model, adapters?: ReadonlyArray<string>) =>
  Effect.map(
    predict(model, rows, { tokenizer, ...(adapters === undefined ? {} : { adapters }) }),
    (all) => all.map(({ probabilities = [] }) => [...probabilities]),
  )

for (const [name, backend, test] of [["wasm", WASM, Deno.test], ["webgpu", webgpu(), onWebgpu]] as const) {
  test(`${name}: classifiers with biases: DoRA rescales rows of the weight alone, and leaves nothing in its slot`, () =>
    inDirectory(async (directory) => {
      await writeClassifier(`${directory}/dora`, true, 1)
      await writeClassifier(`${directory}/plain`, false, 1)
      const alone = new Map<string, ReadonlyArray<ReadonlyArray<number>>>()
      for (const name of ["dora", "plain", ""]) {
        const own = name === "" ? [] : [Lora.fromPeft(`${directory}/${name}`)]
        alone.set(name, await on(WASM, Effect.flatMap(classifier, (model) => probabilities(model)), ...own))
      }
      const program = Effect.gen(function* () {
        const base = yield* classifier
        const banked = (slots: number) => withAdapters(base, Lora.bank({ slots, rank: 3, dora: true }))
        const model = yield* banked(2)
        for (const name of ["dora", "plain"]) yield* model.bank.load(name, `${directory}/${name}`)
        const names = ["dora", "plain", "", "dora", "", "plain"]
        const mixed = yield* probabilities(model, names)
        for (const [i, name] of names.entries()) {
          const off = distance(mixed[i], alone.get(name)![i])
          assert(off < 1e-5, `row ${i} (${name}): ${off}`)
          for (const [other, values] of alone) {
            if (other !== name) assert(distance(mixed[i], values[i]) > 1e-3, `row ${i} is that of "${other}"`)
          }
        }
        // One slot, one name: each that comes has the bits that it has alone.
        const small = yield* banked(1)
        for (const name of ["plain", "dora", "plain", "dora"]) {
          yield* small.bank.load("it", `${directory}/${name}`, { replace: true })
          for (const [i, values] of (yield* probabilities(small, rows.map(() => "it"))).entries()) {
            if (names[i] === name) assertEquals(values, mixed[i], `row ${i} of ${name}`)
          }
        }
        yield* small.bank.load("other", `${directory}/plain`)
        const plain = yield* probabilities(small, rows.map(() => "other"))
        assertEquals([plain[1], plain[5]], [mixed[1], mixed[5]])
      })
      await on(backend, program)
    }))
}

Deno.test("GPT-2, whose files hold weights with axes swapped, has DoRA in a bank", () =>
  inDirectory(async (directory) => {
    const config = {
      model_type: "gpt2",
      vocab_size: 300,
      n_embd: WIDTH,
      n_inner: 24,
      n_layer: 1,
      n_head: 2,
      n_positions: 32,
      initializer_range: 0.3,
    }
    const own = { r: 2, lora_alpha: 4, use_dora: true, fan_in_fan_out: true, target_modules: ["c_attn", "mlp.c_fc"] }
    await writeAdapter(`${directory}/dora`, own, {
      ...dora("transformer.h.0.attn.c_attn", 3 * WIDTH, 2, WIDTH, 1),
      ...dora("transformer.h.0.mlp.c_fc", 24, 2, WIDTH, 2),
    })
    const model = initialize(config, { task: Task.causalLM(), seed: 3 })
    const alone = (...plugins: ReadonlyArray<unknown>) =>
      on(
        WASM,
        Effect.flatMap(model, (model) => Effect.flatMap(engine(model), (own) => textsOf(own, [{}, {}]))),
        ...plugins,
      )
    const [base, changed] = [await alone(), await alone(Lora.fromPeft(`${directory}/dora`))]
    const program = Effect.gen(function* () {
      const bank = Lora.bank({ slots: 1, rank: 2, targets: ["c_attn", "c_fc"], dora: true })
      const own = yield* engine(yield* model, { adapters: bank })
      yield* own.adapters.load("dora", `${directory}/dora`)
      return yield* textsOf(own, [{ adapter: "dora" }, {}])
    })
    const [first, second] = await on(WASM, program)
    assert(distance(first, changed[0]) < 5e-5)
    assert(distance(second, base[1]) < 5e-5)
    assert(distance(first, base[0]) > 1e-3)
  }))

Deno.test("lengths that are missing, wrong or not finite are an error, and the bank is as it was", () =>
  inDirectory(async (directory) => {
    const config = { r: 2, use_dora: true, target_modules: ["value"] }
    const magnitude = `${VALUE}.lora_magnitude_vector`
    const good = dora(VALUE, WIDTH, 2, WIDTH, 1)
    const broken = { ...good, [magnitude]: random([WIDTH], 1) }
    broken[magnitude].data[3] = NaN
    const endless = { ...good, [`${VALUE}.lora_B.weight`]: random([WIDTH, 2], 1) }
    endless[`${VALUE}.lora_B.weight`].data[5] = Infinity
    const still = { ...good, [`${VALUE}.lora_B.weight`]: { shape: [WIDTH, 2], data: new Float32Array(2 * WIDTH) } }
    const cases = {
      none: [pair(VALUE, WIDTH, 2, WIDTH, 1), "Base", "lora_magnitude_vector"],
      short: [{ ...good, [magnitude]: random([WIDTH - 1], 1) }, "Base", "lora_magnitude_vector"],
      broken: [broken, "Files", `lora_magnitude_vector" holds NaN: its training failed, or its file is damaged`],
      endless: [endless, "Files", `lora_B" holds Infinity`],
      still: [still, "Base", `row 7 of "${VALUE}.weight" with its update has the length 0`],
    } as const
    for (const [name, [tensors]] of Object.entries(cases)) await writeAdapter(`${directory}/${name}`, config, tensors)
    await writeAdapter(`${directory}/good`, config, good)
    await writeAdapter(`${directory}/lengths`, { ...config, use_dora: false }, good)
    await on(
      WASM,
      Effect.gen(function* () {
        const base = yield* classifier
        const { slot } = base.parameters.find(({ key }) => key === `${VALUE}.weight`)!
        const weight = Float32Array.from(yield* Effect.promise(() => base.backend.read(slot)))
        yield* Effect.promise(() => base.backend.write(slot, weight.fill(0, 7 * WIDTH, 8 * WIDTH)))
        const { bank } = yield* withAdapters(base, Lora.bank({ slots: 1, rank: 2, dora: true }))
        const failing = (name: string) => Effect.flip(bank.load(name, `${directory}/${name}`))
        for (const [name, [, reason, message]] of Object.entries(cases)) {
          const error: AdapterError = yield* failing(name)
          assertEquals([error._tag, error.reason, error.adapter], ["AdapterError", reason, name], error.message)
          assertStringIncludes(error.message, message)
          assertEquals(bank.names, [])
        }
        assertStringIncludes((yield* failing("lengths")).message, "use_dora in its config must be true")
        yield* bank.load("good", `${directory}/good`)
        const plain = yield* withAdapters(base, Lora.bank({ slots: 1, rank: 2 }))
        const { reason, message } = yield* Effect.flip(plain.bank.load("good", `${directory}/good`))
        assertEquals(reason, "Unsupported")
        assertStringIncludes(message, "use_dora is on: give the bank the option dora")
      }),
    )
  }))
