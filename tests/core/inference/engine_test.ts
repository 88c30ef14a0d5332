import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import { Backend, type BackendService } from "../../../core/backend/backend.ts"
import { BackendError } from "../../../core/backend/backend_error.ts"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { engine, generate, load, merge, type Model, type RowOptions } from "../../../core/inference/mod.ts"
import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { ModelError } from "../../../core/model/model_error.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { saveMerged } from "../../../core/model/mod.ts"
import { embed } from "../../../core/training/embed.ts"
import { evaluate } from "../../../core/training/evaluate.ts"
import * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { fixture } from "../../support/model_layer.ts"

/** Letters and what follows them. */
const tokenizer: Tokenizer = {
  vocabSize: 32,
  padId: 0,
  eosId: 31,
  addsSpecialTokens: false,
  encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0) - 64),
  decode: (ids) => String.fromCharCode(...Array.from(ids, (id) => id + 64)),
  token: (id) => String.fromCharCode(id + 64),
  id: (token) => token.charCodeAt(0) - 64,
}

/** Programs compiled, those not disposed of, and slots that are allocated, of a backend. */
interface Counts {
  programs: number
  live: number
  slots: number
  /** Name of a program that fails to compile. */
  broken?: string
}

const counted = (backend: BackendService, counts: Counts): BackendService => ({
  ...backend,
  compile: async (...all) => {
    if (all[0].name === counts.broken) throw new BackendError({ reason: "OutOfMemory", message: "no memory" })
    const executable = await backend.compile(...all)
    counts.programs++
    counts.live++
    return { ...executable, dispose: () => (counts.live--, executable.dispose()) }
  },
  allocate: (...all) => (counts.slots++, backend.allocate(...all)),
  free: (slot) => (counts.slots--, backend.free(slot)),
})

/** Runs with a causal model of 64 positions on the wasm backend, and two adapters that start at random. */
async function withModel(
  use: (model: Model, counts: Counts) => Effect.Effect<void, unknown, Scope.Scope | FileSystem.FileSystem>,
): Promise<void> {
  const counts: Counts = { programs: 0, live: 0, slots: 0 }
  const backend = Layer.effect(Backend, Effect.map(Effect.service(Backend), (backend) => counted(backend, counts)))
    .pipe(Layer.provide(Wasm.layer({ threads: 2 })))
  const base = Layer.mergeAll(backend, pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const lora = (name: string) => Lora.layer({ name, r: 2, initLoraWeights: false })
  const all = Layer.mergeAll(lora("a"), lora("b"), Llama.layer).pipe(Layer.provideMerge(base))
  const program = Effect.flatMap(
    load(fixture("llama/mistral"), { task: Task.causalLM() }),
    (model) => use(model, counts),
  )
  await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)) as Effect.Effect<void, unknown>)
  assertEquals(counts.slots, 0, "all slots are freed")
}

const prompt = (length: number) => Int32Array.from({ length }, (_, i) => (7 * length + 5 * i + 3) % 32)

Deno.test("rows join and leave at any time; each has the tokens and probabilities that it has alone", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const options = (i: number): RowOptions => ({
        maxNewTokens: 3 + 5 * i,
        logProbabilities: true,
        ...(i % 2 === 0 ? {} : { temperature: 1, topK: 9, seed: i }),
      })
      const alone: Array<ReadonlyArray<unknown>> = []
      for (let i = 0; i < 6; i++) {
        const one = yield* engine(model, { rows: 1 })
        const id = one.insert(prompt(1 + 6 * i), options(i))
        const tokens = []
        while (tokens.length < 3 + 5 * i) tokens.push((yield* Effect.promise(one.next)).get(id)!)
        assertEquals((yield* Effect.promise(one.next)).size, 0)
        alone.push(tokens)
      }
      const together = yield* engine(model, { rows: 3 })
      const made = Array.from({ length: 6 }, (): unknown[] => [])
      const ids = [2, 0].map((i) => together.insert(prompt(1 + 6 * i), options(i)))
      const rows = [2, 0]
      const step = Effect.map(Effect.promise(together.next), (step) => {
        for (const [id, token] of step) made[rows[ids.indexOf(id)]]?.push(token)
        return step.size
      })
      const stranger = together.insert(prompt(9), { maxNewTokens: 40 })
      assertEquals(yield* step, 3)
      together.remove(stranger)
      // Longer rows than the cache has held so far.
      for (const i of [4, 5, 1, 3]) {
        ids.push(together.insert(prompt(1 + 6 * i), options(i)))
        rows.push(i)
      }
      while ((yield* step) > 0);
      assertEquals(made, alone)
      assert(alone.some((tokens) => new Set(tokens.map((one) => (one as { token: number }).token)).size > 2))
    })
  )
})

Deno.test("where there is room from the start, more rows and longer ones compile nothing anew", async () => {
  await withModel((model, counts) =>
    Effect.gen(function* () {
      const made: Array<unknown> = []
      for (const positions of [0, 64]) {
        const own = yield* engine(model, { rows: 4, positions })
        const run = (lengths: ReadonlyArray<number>) =>
          Effect.promise(async () => {
            const tokens: Array<unknown> = []
            for (const length of lengths) own.insert(prompt(length), { maxNewTokens: 6 })
            for (let step = await own.next(); step.size > 0; step = await own.next()) tokens.push([...step.values()])
            return tokens
          })
        const first = yield* run([5])
        made.push(yield* run([5, 9, 12]))
        const before = counts.programs
        assertEquals(yield* run([5]), first)
        assertEquals(counts.programs > before, positions === 0)
      }
      assertEquals(made[0], made[1])
    })
  )
})

Deno.test("rows choose a plugin; a second text of any kind compiles nothing", async () => {
  await withModel((model, counts) =>
    Effect.gen(function* () {
      const plugins = ["lora/a", "lora/b", ""]
      const prompts = [prompt(5), prompt(9), prompt(12)]
      const all = { plugins, maxNewTokens: 12 }
      const made = yield* generate(model, prompts, all)
      for (const [i, plugin] of plugins.entries()) {
        const [one] = yield* generate(model, [prompts[i]], { plugins: [plugin], maxNewTokens: 12 })
        assertEquals(one, made[i])
        const view = model.view({ only: plugin === "" ? [] : [plugin] })
        assertEquals(yield* generate(view, prompts[i], { maxNewTokens: 12 }), made[i])
      }
      assertEquals(yield* generate(model, prompts[2], { methods: false, maxNewTokens: 12 }), made[2])
      const embeddings = yield* embed(model, ["ABC", "D"], { tokenizer })
      const one = (i: number) => generate(model, prompts[i], { plugins: [plugins[i]], maxNewTokens: 12 })
      const together = Effect.all([0, 1].map(one), { concurrency: "unbounded" })
      assertEquals(yield* together, made.slice(0, 2))
      const before = { ...counts }
      assertEquals(yield* generate(model, prompts, all), made)
      assertEquals(yield* embed(model, ["ABC", "D"], { tokenizer }), embeddings)
      assertEquals(yield* together, made.slice(0, 2))
      assertEquals(counts, before)
    })
  )
})

Deno.test("two engines on one model, and generate beside them, do not disturb each other", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const expected = yield* Effect.forEach([4, 11, 17], (length) =>
        generate(model, prompt(length), { maxNewTokens: 9 }))
      const engines = [yield* engine(model, { rows: 1 }), yield* engine(model, { rows: 2 })]
      const ids = engines.map(({ insert }, i) =>
        insert(prompt([4, 11][i]), { maxNewTokens: 9 })
      )
      const third = Effect.runFork(generate(model, prompt(17), { maxNewTokens: 9 }))
      const made: Array<Array<number>> = [[], []]
      for (let step = 0; step < 9; step++) {
        const steps = yield* Effect.promise(() => Promise.all(engines.map(({ next }) => next())))
        steps.forEach((tokens, i) => made[i].push(tokens.get(ids[i])!.token))
      }
      assertEquals([...made.map((one) => Int32Array.from(one)), yield* Fiber.join(third)], expected)
    })
  )
})

Deno.test("programs and caches of a view, and of a merged model, are freed with its scope", async () => {
  await withModel((model, counts) =>
    Effect.gen(function* () {
      yield* generate(model, prompt(3), { maxNewTokens: 2 })
      const before = { live: counts.live, slots: counts.slots }
      const view = Effect.map(Effect.scope, (scope) => model.view({ only: ["lora/a"], scope }))
      for (const other of [view, merge(model)]) {
        const used = Effect.gen(function* () {
          const own = yield* other
          yield* generate(own, prompt(3), { maxNewTokens: 2 })
          yield* embed(own, ["ABC"], { tokenizer })
          assert(counts.live > before.live && counts.slots > before.slots)
        })
        yield* Effect.scoped(used)
        // Freed programs are disposed of when they are compiled, a microtask later.
        yield* Effect.promise(() => Promise.resolve())
        assertEquals({ live: counts.live, slots: counts.slots }, before)
      }
    })
  )
})

Deno.test("a view whose scope is closed generates nothing, and takes no memory", async () => {
  await withModel((model, counts) =>
    Effect.gen(function* () {
      const view = yield* Effect.scoped(Effect.map(Effect.scope, (scope) => model.view({ only: ["lora/a"], scope })))
      const before = counts.slots
      const error = yield* Effect.flip(generate(view, Int32Array.of(1, 2), { maxNewTokens: 2 }))
      assert(error instanceof ModelError, String(error))
      assertStringIncludes(error.message, "is closed")
      assertEquals(counts.slots, before)
    })
  )
})

Deno.test("a cache that cannot grow leaves the engine as it was", async () => {
  await withModel((model, counts) =>
    Effect.gen(function* () {
      const expected = yield* generate(model, [prompt(3), prompt(5)], { maxNewTokens: 6 })
      const { insert, next } = yield* engine(model)
      const step = Effect.tryPromise({ try: next, catch: (error) => error as BackendError })
      const made = new Map([[insert(prompt(3), { maxNewTokens: 6 }), []]] as Array<[number, number[]]>)
      const take = Effect.map(step, (tokens) => tokens.forEach(({ token }, id) => made.get(id)!.push(token)))
      yield* take
      made.set(insert(prompt(5), { maxNewTokens: 6 }), [])
      const { slots } = counts
      counts.broken = "copy of a smaller cache"
      assertEquals((yield* Effect.flip(take)).reason, "OutOfMemory")
      assertEquals(counts.slots, slots)
      delete counts.broken
      for (let i = 0; i < 6; i++) yield* take
      assertEquals([...made.values()].map((ids) => Int32Array.from(ids)), [...expected])
    })
  )
})

Deno.test("a row's probabilities are the same bits alone and with seven others", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const tokens = (count: number) =>
        Effect.gen(function* () {
          const { insert, next } = yield* engine(model)
          const options = { maxNewTokens: 12, logProbabilities: true }
          const ids = Array.from({ length: count }, (_, i) => insert(prompt(4 + 3 * i), options))
          const made: Array<unknown> = []
          for (let i = 0; i < 12; i++) made.push((yield* Effect.promise(next)).get(ids[0]))
          return made
        })
      assertEquals(yield* tokens(8), yield* tokens(1))
    })
  )
})

Deno.test("a text ends with a token that generation_config.json names", async () => {
  const directory = Deno.makeTempDirSync()
  const write = (config: unknown) =>
    Deno.writeTextFileSync(`${directory}/generation_config.json`, JSON.stringify(config))
  try {
    await withModel((model) =>
      Effect.gen(function* () {
        const { eosId: _, ...endless } = tokenizer
        const ids = yield* generate(model, tokenizer.encode("AB"), { maxNewTokens: 10 })
        const there = { ...model, companions: directory }
        const text = generate(there, "AB", { tokenizer: endless, maxNewTokens: 10 })
        const endless10 = yield* text
        for (const eos of [ids[3], [99, ids[3]]]) {
          write({ eos_token_id: eos })
          const made = yield* text
          assert(endless10.startsWith(made) && made.length < endless10.length)
        }
        write({ eos_token_id: "</s>" })
        assertStringIncludes((yield* Effect.flip(text)).message, 'a token id or a list of them, got "</s>"')
      })
    )
  } finally {
    Deno.removeSync(directory, { recursive: true })
  }
})

Deno.test("text in, text out; a text ends with the tokenizer's end token", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const text = "AB"
      const ids = yield* generate(model, tokenizer.encode(text), { maxNewTokens: 10 })
      const whole = tokenizer.decode([...tokenizer.encode(text), ...ids], { skipSpecialTokens: true })
      const { eosId: _, ...endless } = tokenizer
      const made = yield* generate(model, text, { tokenizer: endless, maxNewTokens: 10 })
      assertEquals(whole, tokenizer.decode(tokenizer.encode(text), { skipSpecialTokens: true }) + made)
      assertEquals(yield* generate(model, [text, text], { tokenizer: endless, maxNewTokens: 10 }), [made, made])
      const ended = yield* generate(model, text, { tokenizer: { ...tokenizer, eosId: ids[3] }, maxNewTokens: 10 })
      assert(made.startsWith(ended) && ended.length < made.length)
    })
  )
})

Deno.test("what a row cannot be is an error before any work", async () => {
  await withModel((model) =>
    Effect.gen(function* () {
      const { insert } = yield* engine(model, { plugins: ["lora/a"] })
      const wrong = (options: RowOptions) =>
        assertThrows(() => insert(prompt(3), { maxNewTokens: 5, ...options }), ModelError).message
      assertStringIncludes(wrong({ topP: 2, temperature: 1 }), "topP must be")
      assertStringIncludes(wrong({ stop: [40] }), "stop has the token id 40")
      assertStringIncludes(
        wrong({ plugin: "lora/c" }),
        'rows cannot choose "lora/c": the engine was made for lora/a, lora/b',
      )
      assertStringIncludes(wrong({ maxNewTokens: 62 }), "must be 1 to 64 positions")
      assertStringIncludes(wrong({ stop: 3 } as never), "stop must be a list of token ids, got 3")
      assertEquals(
        wrong({ temprature: 1 } as never),
        'unknown option "temprature"; the nearest known one is "temperature"',
      )
      const nearest = (name: string) => `the nearest known one is "${name}"`
      for (
        const [refused, name] of [
          [generate(model, [prompt(3)], { maxTokens: 3 } as never), "maxNewTokens"],
          [engine(model, { row: 3 } as never), "rows"],
          [embed(model, ["ABC"], { tokenizer, normalise: true } as never), "normalize"],
          [evaluate(model, { rows: [] } as never, { maxlength: 3 } as never), "maxLength"],
          [saveMerged(model, "out", { onli: ["lora/a"] } as never), "only"],
        ] as const
      ) {
        const { message } = yield* Effect.flip(refused as Effect.Effect<unknown, Error, Scope.Scope>)
        assertStringIncludes(message, nearest(name))
      }
      assertThrows(() => model.view({ withot: ["lora/a"] } as never), ModelError, nearest("without"))
      assertStringIncludes(
        (yield* Effect.flip(engine(model, { rows: 0 }))).message,
        "rows must be a whole number from 1",
      )
      assertStringIncludes((yield* Effect.flip(engine(model, { positions: 65 }))).message, "from 0 to 64, got 65")
      assertStringIncludes((yield* Effect.flip(engine(model, { plugins: ["lora/c"] }))).message, "which is not there")
      const few = yield* Effect.flip(generate(model, [prompt(3)], { plugins: [] }))
      assertStringIncludes(few.message, "one for each of 1 prompts, got 0")
    })
  )
})
