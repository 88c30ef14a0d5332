/**
 * Banks of virtual tokens: rows of one batch with prefixes or prompts of their own.
 * @module
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../../core/backend/backend.ts"
import { layer as wasm } from "../../../core/backend/wasm/backend.ts"
import { PluginError } from "../../../core/contracts/plugin_error.ts"
import { layer as pluginsLayer, type Plugins } from "../../../core/contracts/plugins.ts"
import {
  AdapterError,
  type Engine,
  engine,
  initialize,
  load,
  type Model,
  saveAdapters,
  withAdapters,
  writeParameters,
} from "../../../core/inference/mod.ts"
import { type Families, layer as familiesLayer } from "../../../core/model/load/families.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { ModelError } from "../../../core/model/model_error.ts"
import type { Prediction } from "../../../core/tasks/task.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { predict } from "../../../core/training/evaluate.ts"
import * as Bert from "../../../plugins/bert/mod.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import * as PromptTuning from "../../../plugins/prompt_tuning/mod.ts"
import { texts, tokenizer } from "../../core/training/support.ts"
import { distance, fixture } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { noise } from "../lora/adapters.ts"

type Plugin = Layer.Layer<never, unknown, Plugins | FileSystem.FileSystem>

type Needs = Backend | Plugins | Families | FileSystem.FileSystem | Scope.Scope

function within<A>(program: Effect.Effect<A, unknown, Needs>, plugins: Plugin = Layer.empty): Promise<A> {
  const base = Layer.mergeAll(wasm({ threads: 1 }), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const all = Layer.mergeAll(plugins, Llama.layer, Bert.layer).pipe(Layer.provideMerge(base))
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all, { local: true })) as Effect.Effect<A>)
}

const withModel = <A>(use: (model: Model) => Effect.Effect<A, unknown, Needs>, seed = 1, plugins?: Plugin) =>
  within(
    Effect.flatMap(load(fixture("llama/mistral"), { task: Task.causalLM(), frozen: true, seed }), use),
    plugins,
  )

/** Log-probabilities of the tokens of rows with these adapters. */
const textsOf = ({ insert, next }: Engine, adapters: ReadonlyArray<string | undefined>) =>
  Effect.promise(async () => {
    const made = new Map(adapters.map((adapter, i) => {
      const prompt = Int32Array.from({ length: 3 + i }, (_, at) => (5 * at + i + 3) % 32)
      const options = { maxNewTokens: 4, logProbabilities: true, ...(adapter === undefined ? {} : { adapter }) }
      return [insert(prompt, options), [] as Array<number>]
    }))
    for (let open = made.size; open > 0;) {
      for (const [id, { token, logProbability, finished }] of await next()) {
        made.get(id)!.push(token, logProbability!)
        if (finished) open--
      }
    }
    return [...made.values()]
  })

const LENGTH = 3

for (
  const { name, plugin, bank } of [
    { name: "prefixes", plugin: PrefixTuning.layer({ numVirtualTokens: LENGTH }), bank: PrefixTuning.bank },
    {
      name: "prompts",
      plugin: PromptTuning.layer({ numVirtualTokens: LENGTH, promptTuningInit: "RANDOM" }),
      bank: PromptTuning.bank,
    },
  ]
) {
  Deno.test(`rows of one batch have ${name} of their own, which are those of a model with them alone`, () =>
    inDirectory(async (directory) => {
      const adapters = ["one", "two", "one"]
      const alone: Array<ReadonlyArray<number>> = []
      for (const [i, adapter] of adapters.entries()) {
        const own = Effect.fnUntraced(function* (model: Model) {
          yield* saveAdapters(model, `${directory}/${adapter}`)
          return (yield* textsOf(yield* engine(model), adapters.map(() => undefined)))[i]
        })
        alone.push(await withModel(own, adapter === "one" ? 1 : 2, plugin as unknown as Plugin))
      }
      await withModel((model) =>
        Effect.gen(function* () {
          const own = yield* engine(model, { adapters: bank({ slots: 2, numVirtualTokens: LENGTH }) })
          for (const name of ["one", "two"]) yield* own.adapters.load(name, `${directory}/${name}`)
          const found = yield* textsOf(own, adapters)
          for (const [i, values] of found.entries()) {
            assert(distance(values, alone[i]) < 2e-5, `row ${i}: ${distance(values, alone[i])}`)
          }
          assert(distance(found[0], (yield* textsOf(own, ["two"]))[0]) > 1e-3)
          const prompt = new Int32Array(5)
          const few = { maxNewTokens: 1 }
          const message = "every row must name an adapter; there are one, two"
          assertThrows(() => own.insert(prompt, few), AdapterError, message)
          // The model's positions less those of the virtual tokens.
          const long = { adapter: "one", maxNewTokens: 64 - LENGTH - 4 }
          assertThrows(() => own.insert(prompt, long), ModelError, "must be 1 to 61 positions")
          const other = yield* engine(model, { adapters: bank({ numVirtualTokens: 7 }) })
          const error = yield* Effect.flip(other.adapters.load("one", `${directory}/one`))
          assertEquals(error.reason, "Size")
          assertStringIncludes(error.message, "it has 3 virtual tokens, those of the bank have 7")
        })
      )
      assertThrows(() => bank({ slots: 1.5 }), PluginError, "slots")
    }))
}

Deno.test("classifiers with virtual tokens have heads of their own", () =>
  inDirectory(async (directory) => {
    const config = { model_type: "bert", vocab_size: 300, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1 }
    const more = { num_attention_heads: 2, max_position_embeddings: 40, initializer_range: 0.3 }
    const classifier = initialize({ ...config, ...more }, { task: Task.classification(["a", "b", "c"]), seed: 5 })
    const rows = texts(4).rows.map(({ text }) => text)
    const numbers = (all: ReadonlyArray<Prediction>) => all.flatMap(({ probabilities = [] }) => [...probabilities])
    const plugin = PrefixTuning.layer({ numVirtualTokens: LENGTH }) as unknown as Plugin
    const alone: Array<ReadonlyArray<number>> = []
    for (const [seed, name] of ["one", "two"].entries()) {
      const saved = Effect.flatMap(classifier, (model) =>
        Effect.gen(function* () {
          const own = model.parameters.filter(({ trainable }) => trainable)
          const values = own.map((parameter, i) => ({ parameter, data: noise(sizeOf(parameter.shape), 10 * seed + i) }))
          yield* writeParameters(model, values)
          yield* saveAdapters(model, `${directory}/${name}`)
          return numbers(yield* predict(model, rows, { tokenizer }))
        }))
      alone.push(await within(saved, plugin))
    }
    const found = await within(Effect.flatMap(classifier, (base) =>
      Effect.gen(function* () {
        const model = yield* withAdapters(base, PrefixTuning.bank({ numVirtualTokens: LENGTH }))
        for (const name of ["one", "two"]) yield* model.bank.load(name, `${directory}/${name}`)
        const without = yield* Effect.flip(predict(model, rows, { tokenizer }))
        assertStringIncludes(without.message, "adapters must be a list of texts")
        return numbers(yield* predict(model, rows, { tokenizer, adapters: ["one", "two", "one", "two"] }))
      })))
    const expected = alone[0].map((_, i) => alone[Math.floor(i / 3) % 2][i])
    assert(distance(found, expected) < 1e-5, `${distance(found, expected)}`)
    assert(distance(alone[0], alone[1]) > 0.1)
  }))
