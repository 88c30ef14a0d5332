import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { gradients } from "../../../core/graph/rewrite/gradients.ts"
import { chooseByRow, initialize, merge, type Model, saveAdapters, type ViewOptions } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import * as PrefixTuning from "../../../plugins/prefix_tuning/mod.ts"
import { evaluate, evaluateAll } from "../../support/evaluate.ts"
import { type MemoryBackend, memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, run } from "../../support/model_layer.ts"
import { inDirectory } from "../files.ts"
import { llama, rowsOf as matrix } from "../formulas.ts"
import { distilBertConfig, equalsFormula, llamaConfig } from "../padded.ts"

const task = Task.classification(["a", "b", "c"])
const ROWS = 6
const batch = {
  tokens: ops.constant(Int32Array.from({ length: ROWS * 4 }, (_, i) => (i * 5 + 1) % 13), [ROWS, 4]),
  lengths: ops.constant(Int32Array.of(4, 3, 4, 2, 4, 1), [ROWS]),
  fields: {},
  exampleWeight: ops.full(1, [ROWS]),
  task: "",
}

/** Logits of each row. */
function rowsOf(
  model: Model,
  backend: MemoryBackend,
  ids?: ReadonlyArray<string>,
  training = false,
): Array<Array<number>> {
  const chosen = ids === undefined ? undefined : chooseByRow(model, ids)
  const choice = chosen && { plugins: chosen.plugins, index: ops.constant(chosen.index, [ROWS]) }
  const key = [ops.full(1, [], "i32"), ops.full(2, [], "i32")] as const
  const graph = model.forward(batch, { training, key, ...(choice === undefined ? {} : { choice }) })
  const values = Array.from(evaluate(graph.logits, { slots: backend.slots }))
  return Array.from({ length: ROWS }, (_, i) => values.slice(3 * i, 3 * i + 3))
}

/** Moves what trains. */
function shake(model: Model, backend: MemoryBackend): void {
  for (const { slot, trainable, owner } of model.parameters) {
    if (!trainable || owner === "base") continue
    backend.slots.get(slot.id)!.forEach((value, i, all) => all[i] = value + Math.sin(i + slot.id) / 4)
  }
}

const configs = { llama: [llamaConfig, "q_proj", "up_proj"], distilbert: [distilBertConfig, "q_lin", "lin1"] } as const

for (const [family, [config, attention, wide]] of Object.entries(configs)) {
  Deno.test(`each row of a batch has its own adapter, of other ranks, places and kinds: ${family}`, async () => {
    const backend = memoryBackend()
    const one = (name: string, options: Lora.LoraOptions) =>
      Lora.layer({ name, targetModules: [attention], ...options })
    const layers = Layer.mergeAll(
      one("a", { r: 2 }),
      one("b", { r: 5, loraAlpha: 3, targetModules: [attention, wide] }),
      one("c", { r: 3, targetModules: [wide], initLoraWeights: "pissa" }),
      one("d", { r: 3, useDora: true }),
    )
    await run(
      Effect.gen(function* () {
        const model = yield* initialize(config, { task })
        shake(model, backend)
        const alone = new Map<string, Array<Array<number>>>()
        for (const name of ["a", "b", "c", "d"]) {
          alone.set(`lora/${name}`, rowsOf(model.view({ only: [`lora/${name}`] }), backend))
        }
        alone.set("", rowsOf(model.view({ without: ["lora"] }), backend))
        assertEquals([...model.view({ only: ["lora/d"] }).off].sort(), ["lora/a", "lora/b", "lora/c"])
        assertEquals([...model.view({ only: ["lora/d"] }).view({ only: ["lora"] }).off], [])
        const ids = ["lora/b", "", "lora/a", "lora/d", "lora/c", "lora/b"]
        const mixed = rowsOf(model, backend, ids)
        for (const [row, id] of ids.entries()) {
          const error = distance(mixed[row], alone.get(id)![row])
          assert(error < 1e-12, `row ${row} (${id}) is off by ${error}`)
          for (const [other, rows] of alone) if (other !== id) assert(distance(mixed[row], rows[row]) > 1e-4)
        }
        // All rows through one, and through none.
        assert(distance(rowsOf(model, backend, ids.map(() => "lora/c")).flat(), alone.get("lora/c")!.flat()) < 1e-12)
        assert(distance(rowsOf(model, backend, ids.map(() => "")).flat(), alone.get("")!.flat()) < 1e-12)
      }),
      layers,
      backend,
    )
  })
}

Deno.test("rows that share a batch train their own adapters only", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task })
      shake(model, backend)
      const trained = model.parameters.filter(({ owner }) => owner !== "base")
      const of = (ids: ReadonlyArray<string>) => {
        const { plugins, index } = chooseByRow(model, ids)
        const choice = { plugins, index: ops.constant(index, [ROWS]) }
        const { logits } = model.forward(batch, { training: true, choice })
        const loss = ops.sum(ops.mul(logits, logits))
        const found = evaluateAll(gradients(loss, trained.map(({ tensor }) => tensor)), { slots: backend.slots })
        return new Map(trained.map(({ key }, i) => [key, Array.from(found[i])]))
      }
      const mixed = of(["lora/a", "lora/b", "lora/a", "", "lora/b", "lora/a"])
      const apart = ["lora/a", "lora/b"].map((id) =>
        of(["lora/a", "lora/b", "lora/a", "", "lora/b", "lora/a"].map((own) => own === id ? id : ""))
      )
      for (const [key, gradient] of mixed) {
        const own = apart[key.startsWith("lora/a") ? 0 : 1].get(key)!
        assert(Math.hypot(...own) > 1e-6 && distance(gradient, own) < 1e-10, key)
      }
    }),
    Layer.mergeAll(
      Lora.layer({ name: "a", r: 2, initLoraWeights: false }),
      Lora.layer({ name: "b", r: 4, initLoraWeights: false }),
    ),
    backend,
  )
})

Deno.test("with dropout, rows without an adapter are those of the base", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task })
      shake(model, backend)
      const rows = rowsOf(model, backend, ["lora/a", "", "", "lora/a", "", ""], true)
      const none = rowsOf(model, backend, new Array(ROWS).fill(""), true)
      const differs = rows.map((row, i) => distance(row, none[i]) > 1e-6)
      assertEquals(differs, [true, false, false, true, false, false])
    }),
    Lora.layer({ name: "a", r: 2, loraDropout: 0.3 }),
    backend,
  )
})

Deno.test("a head that an adapter trains is the loaded one while the adapter is off", async () => {
  const backend = memoryBackend()
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task })
      const before = rowsOf(model, backend)
      const head = model.parameters.find(({ key }) => key === "score.weight")!
      backend.slots.get(head.slot.id)!.fill(0.5)
      assert(distance(rowsOf(model, backend).flat(), before.flat()) > 1e-3)
      assert(distance(rowsOf(model.view({ without: ["lora"] }), backend).flat(), before.flat()) < 1e-12)
      assert(distance(rowsOf(model, backend).flat(), before.flat()) > 1e-3)
    }),
    Lora.layer(),
    backend,
  )
})

Deno.test("adapters that are merged, off or not there, and methods in which rows cannot differ, are errors", async () => {
  const backend = memoryBackend()
  const thrown = (run: () => unknown): string => {
    try {
      run()
    } catch (error) {
      return (error as Error).message
    }
    return "nothing"
  }
  const layers = Layer.mergeAll(
    Lora.layer({ name: "a" }),
    Lora.layer({ name: "b" }),
    PrefixTuning.layer({ numVirtualTokens: 2 }),
  )
  await run(
    Effect.gen(function* () {
      const model = yield* initialize(llamaConfig, { task })
      const choose = (id: string, view = model) => thrown(() => chooseByRow(view, [id]))
      assertEquals(choose("lora/c"), 'row 1 wants "lora/c", which is not there; there are: lora/a, lora/b')
      assertStringIncludes(choose("prefix_tuning/default"), 'at "kv-prefix", where the rows of a batch cannot differ')
      assertStringIncludes(choose("lora/b", model.view({ only: ["lora/b"] })), "lora/a is switched off")
      const merged = yield* merge(model, ["lora/a"])
      assertStringIncludes(choose("lora/b", merged), "lora/a is merged")
      const view = (options: ViewOptions) => thrown(() => merged.view(options))
      assertStringIncludes(view({ only: ["lora/b"] }), "lora/a is merged: its update lies in the weights of this model")
      assertStringIncludes(view({ without: ["lora"] }), "lora/a is merged")
      assertStringIncludes(
        view({ only: ["lora/x"] }),
        'the model has no plugin "lora/x"; it has lora/a, lora/b, prefix_tuning/default',
      )
      assertStringIncludes(
        (yield* Effect.flip(merge(model))).message,
        'prefix_tuning/default cannot be merged at "model.layers.0.self_attn": its "kv-prefix" site does not say how',
      )
    }),
    layers,
    backend,
  )
})

Deno.test("an adapter's own head trains as the model's would, and the model's stays", async () => {
  const trained = await equalsFormula(
    llamaConfig,
    Lora.layer({ ownModules: true, r: 2, targetModules: ["q_proj"], initLoraWeights: false }),
    (weights, tokens) => {
      const all = new Map(weights)
      for (const path of ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"]) {
        const [a, b] = ["lora_A", "lora_B"].map((name) => weights.get(`lora/default:${path}.${name}`)!)
        const weight = Array.from(weights.get(`${path}.weight`)!, (value, at) => {
          const [row, column] = [Math.floor(at / 16), at % 16]
          return value + 4 * (b[2 * row] * a[column] + b[2 * row + 1] * a[16 + column])
        })
        all.set(`${path}.weight`, weight)
      }
      const hidden = llama(llamaConfig, all, tokens, {})
      return matrix(weights.get("lora/default:score.weight")!, 16).map((row) =>
        row.reduce((sum, weight, i) => sum + weight * hidden[tokens.length - 1][i], 0)
      )
    },
  )
  assertEquals(trained.filter((key) => !key.includes("lora_")), ["lora/default:score.weight"])
})

Deno.test("two heads do not fit one model unless each is its adapter's own; then rows choose between them", () =>
  inDirectory(async (directory) => {
    const alone: number[][][] = []
    for (const [name, more] of [["a", { seed: 1 }], ["b", { seed: 2 }]] as const) {
      const backend = memoryBackend()
      await run(
        Effect.gen(function* () {
          const model = yield* initialize(llamaConfig, { task })
          shake(model, backend)
          const head = model.parameters.find(({ module, owner }) => module === "score" && owner !== "base")
          // One was trained with a head of its own, the other with the model's: their files are alike.
          assertEquals(head === undefined, name === "b")
          const { slot } = head ?? model.parameters.find(({ key }) => key === "score.weight")!
          backend.slots.get(slot.id)!.forEach((_, i, all) => all[i] = Math.fround(Math.sin(i * more.seed)))
          alone.push(rowsOf(model, backend))
          yield* saveAdapters(model, directory)
        }),
        Lora.layer({ name, r: 2, ownModules: name === "a" }) as never,
        backend,
      )
      // Saving replaces what was there.
      await Deno.rename(`${directory}/${name}`, `${directory}-${name}`)
    }
    try {
      const both = (ownModules: boolean) =>
        Layer.mergeAll(
          Lora.fromPeft(`${directory}-files`, "a", { ownModules }),
          Lora.fromPeft(`${directory}-files`, "b", { ownModules }),
        ) as never
      await Deno.mkdir(`${directory}-files`)
      for (const name of ["a", "b"]) await Deno.rename(`${directory}-${name}`, `${directory}-files/${name}`)
      const error = await failure(initialize(llamaConfig, { task }), both(false))
      assertStringIncludes(error.message, 'bring different values for "score.weight"')
      const backend = memoryBackend()
      await run(
        Effect.gen(function* () {
          const model = yield* initialize(llamaConfig, { task })
          assertThrows(() => rowsOf(model, backend), Error, '"score" is there 2 times, once for each of lora/a, lora/b')
          const mixed = rowsOf(model, backend, ["lora/a", "lora/b", "lora/b", "lora/a", "", "lora/b"])
          for (const [row, at] of [0, 1, 1, 0].entries()) assert(distance(mixed[row], alone[at][row]) < 1e-6)
          const base = rowsOf(model, backend, new Array(ROWS).fill(""))
          assert(distance(mixed[4], base[4]) < 1e-12)
          assert(distance(rowsOf(model.view({ only: ["lora/b"] }), backend).flat(), alone[1].flat()) < 1e-6)
          assertStringIncludes((yield* Effect.flip(merge(model, ["lora/b"]))).message, "lora/b has modules of its own")
        }),
        both(true),
        backend,
      )
    } finally {
      await Deno.remove(`${directory}-files`, { recursive: true })
    }
  }))

Deno.test("modules that are not Linear cannot be an adapter's own", async () => {
  const options = { ownModules: true, modulesToSave: ["model.norm"] }
  const error = await failure(initialize(llamaConfig, { task }), Lora.layer(options) as never)
  assertStringIncludes(error.message, 'ownModules is for Linear modules; "model.norm" is Norm')
})
