import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BatchTensors } from "../../../core/contracts/objective.ts"
import { initialize, saveAdapters, saveCheckpoint } from "../../../core/model/mod.ts"
import { load } from "../../../core/model/load/load.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as ops from "../../../core/tensor/ops.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { encodeTensors } from "../../../plugins/peft_format/tensors.ts"
import { evaluate } from "../../support/evaluate.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { type Base, distance, fixture, run } from "../../support/model_layer.ts"
import { configOf, deltasOf, pair, random, relative, rows, sumOf, tensorsOf, writeAdapter } from "./adapters.ts"

type Options = Omit<Lora.CombineOptions, "output">
const combine = (directory: string, options: Options) =>
  Effect.runPromise(
    Lora.combine({ ...options, output: `${directory}/out` }).pipe(Effect.provide(NodeFileSystem.layer)),
  )
const refused = (directory: string, options: unknown) =>
  Effect.runPromise(
    Effect.flip(Lora.combine({ output: `${directory}/out`, ...options as Options })).pipe(
      Effect.provide(NodeFileSystem.layer),
    ),
  ) as Promise<Lora.CombineError>

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir()
  try {
    await body(directory)
  } finally {
    await Deno.remove(directory, { recursive: true })
  }
}

/** Two adapters that differ in everything that may differ, and weights for them. */
async function writeTwo(directory: string): Promise<ReadonlyArray<readonly [string, number]>> {
  const [one, two] = [`${directory}/one`, `${directory}/two`]
  await writeAdapter(one, { r: 3, lora_alpha: 6, target_modules: ["q", "v", "emb"], rank_pattern: { v: 2 } }, {
    ...pair("layers.0.q", 9, 3, 7, 1),
    ...pair("layers.0.v", 5, 2, 7, 2),
    "emb.lora_embedding_A": random([3, 11], 3),
    "emb.lora_embedding_B": random([7, 3], 4),
  })
  const config = { r: 4, lora_alpha: 5, use_rslora: true, alpha_pattern: { "layers\\.0\\.o": 3 } }
  await writeAdapter(two, { ...config, target_modules: ["q", "o", "emb"] }, {
    ...pair("layers.0.q", 9, 4, 7, 5),
    ...pair("layers.0.o", 7, 4, 5, 6),
    "emb.lora_embedding_A": random([4, 11], 7),
    "emb.lora_embedding_B": random([7, 4], 8),
  })
  return [[one, 0.7], [two, -1.3]]
}
const sources = (adapters: ReadonlyArray<readonly [string, number]>) =>
  adapters.map(([path, weight]) => ({ path, weight }))

for (const combinationType of ["cat", "linear", "svd"] as const) {
  Deno.test(`${combinationType} is the weighted sum of updates, whatever ranks, scales and targets`, () =>
    inDirectory(async (directory) => {
      const adapters = await writeTwo(directory)
      const more = combinationType === "svd" ? { svdRank: 7 } : {}
      const report = await combine(directory, { adapters: sources(adapters), combinationType, ...more })
      const [wanted, got] = [sumOf(adapters), deltasOf(`${directory}/out`)]
      assertEquals([...got.keys()].sort(), ["emb", "layers.0.o", "layers.0.q", "layers.0.v"])
      assertEquals(report.modules.map(({ module }) => module), [...got.keys()].sort())
      for (const [module, delta] of wanted) {
        const error = relative(got.get(module)!, delta)
        assert(error < 5e-7, `${module} is off by ${error}`)
        const told = report.modules.find((one) => one.module === module)!
        assertAlmostEquals(told.error, error, 1e-12)
        assert(told.error <= report.worst.error)
      }
      const { r, lora_alpha, use_rslora, rank_pattern, alpha_pattern, target_modules } = configOf(`${directory}/out`)
      assertEquals([r, lora_alpha, use_rslora], [7, 7, false])
      assertEquals(rank_pattern, alpha_pattern)
      const sums = { "layers\\.0\\.o": 4, "layers\\.0\\.v": 2 }
      assertEquals(rank_pattern, combinationType === "svd" ? {} : sums)
      assertEquals(target_modules, ["emb", "layers.0.o", "layers.0.q", "layers.0.v"])
    }))
}

Deno.test("svd at a lower rank is the nearest of that rank; the error of one too low names the rank that would do", () =>
  inDirectory(async (directory) => {
    const axis = (i: number, value: number) => rows([0, 1, 2, 3].map((j) => i === j ? value : 0))
    for (const [i, value] of [3, 2, 1].entries()) {
      const b = rows(...[0, 1, 2, 3, 4].map((j) => [i === j ? value : 0]))
      const tensors = { "block.x.lora_A.weight": axis(i, 1), "block.x.lora_B.weight": b }
      await writeAdapter(`${directory}/${i}`, { r: 1, lora_alpha: 1 }, tensors)
    }
    const adapters = [0, 1, 2].map((i) => ({ path: `${directory}/${i}` }))
    const options = { adapters, combinationType: "svd" as const, svdRank: 2 }
    const { worst } = await combine(directory, { ...options, tolerance: 0.3 })
    assertAlmostEquals(worst.error, 1 / Math.sqrt(14), 1e-6)
    const wanted = new Float64Array(20)
    wanted.set([3], 0), wanted.set([2], 5)
    assert(relative(deltasOf(`${directory}/out`).get("block.x")!, wanted) < 1e-6)
    // What was there stays, and nothing is left beside it.
    const before = await Deno.readFile(`${directory}/out/adapter_model.safetensors`)
    const error = await refused(directory, options)
    assertEquals([error._tag, error.reason, error.module], ["CombineError", "Inexact", "block.x"])
    assertStringIncludes(error.message, '"block.x": rank 2 is 0.267 off')
    assertStringIncludes(error.message, "take svdRank 3")
    assertEquals(await Deno.readFile(`${directory}/out/adapter_model.safetensors`), before)
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["0", "1", "2", "out"])
  }))

Deno.test("linear has no cross terms, and the least rank that holds the sum", () =>
  inDirectory(async (directory) => {
    const a = random([2, 8], 1)
    for (const [i, b] of [random([6, 2], 2), random([6, 2], 3)].entries()) {
      const tensors = { "x.lora_A.weight": a, "x.lora_B.weight": b }
      await writeAdapter(`${directory}/${i}`, { r: 2, lora_alpha: 2 }, tensors)
    }
    const adapters = [[`${directory}/0`, 1], [`${directory}/1`, -2]] as const
    const { modules } = await combine(directory, { adapters: sources(adapters), combinationType: "linear" })
    assertEquals(modules[0].rank, 2)
    const wanted = sumOf(adapters).get("x")!
    assert(relative(deltasOf(`${directory}/out`).get("x")!, wanted) < 5e-7)
  }))

Deno.test("known wrong elsewhere, right here (reference, section 1.7)", async (test) => {
  const one = async (directory: string, config: Record<string, unknown>, weight: number, options: Partial<Options>) => {
    await writeAdapter(`${directory}/a`, config, pair("x", 6, 4, 8, 1))
    const adapters = [[`${directory}/a`, weight]] as const
    await combine(directory, { adapters: sources(adapters), ...options })
    return relative(deltasOf(`${directory}/out`).get("x")!, sumOf(adapters).get("x")!)
  }
  const wholeRank = { svdRank: 6, density: 1 }
  const cases: ReadonlyArray<readonly [string, Record<string, unknown>, number, Partial<Options>]> = [
    ["svd counts the scale once", { r: 4, lora_alpha: 12 }, 0.5, { combinationType: "svd" }],
    ["ties counts the scale once", { r: 4, lora_alpha: 12 }, 0.5, { combinationType: "ties", ...wholeRank }],
    ["a negative weight turns the sign of cat", { r: 4, lora_alpha: 4 }, -1, {}],
    ["a negative weight turns the sign of linear", { r: 4, lora_alpha: 4 }, -1, { combinationType: "linear" }],
    ["a negative weight turns the sign of svd", { r: 4, lora_alpha: 4 }, -1, { combinationType: "svd" }],
    ["a negative weight turns the sign of ties", { r: 4, lora_alpha: 4 }, -1, {
      combinationType: "ties",
      ...wholeRank,
    }],
    ["rsLoRA's scale", { r: 4, lora_alpha: 6, use_rslora: true }, 1, { combinationType: "svd" }],
  ]
  for (const [name, ...rest] of cases) {
    await test.step(name, () =>
      inDirectory(async (directory) => {
        const error = await one(directory, ...rest)
        assert(error < 5e-7, `off by ${error}`)
      }))
  }
  await test.step("linear of different factors", () =>
    inDirectory(async (directory) => {
      await writeAdapter(`${directory}/a`, { r: 2, lora_alpha: 2 }, pair("x", 6, 2, 8, 1))
      await writeAdapter(`${directory}/b`, { r: 2, lora_alpha: 2 }, pair("x", 6, 2, 8, 2))
      const adapters = [[`${directory}/a`, 1], [`${directory}/b`, 1]] as const
      await combine(directory, { adapters: sources(adapters), combinationType: "linear" })
      assert(relative(deltasOf(`${directory}/out`).get("x")!, sumOf(adapters).get("x")!) < 5e-7)
      // Sums of the factors, as elsewhere, would be far off.
      const [a, b] = ["a", "b"].map((name) => tensorsOf(`${directory}/${name}`))
      const both = (name: string) => a.get(name)!.data.map((value, i) => value + b.get(name)!.data[i])
      const [down, up] = [both("base_model.model.x.lora_A.weight"), both("base_model.model.x.lora_B.weight")]
      const crossed = Float64Array.from({ length: 48 }, (_, i) => {
        const [row, column] = [Math.floor(i / 8), i % 8]
        return up[row * 2] * down[column] + up[row * 2 + 1] * down[8 + column]
      })
      assert(relative(crossed, sumOf(adapters).get("x")!) > 0.1)
    }))
  const refusals: ReadonlyArray<readonly [string, Record<string, unknown>, Record<string, unknown>, string]> = [
    ["DoRA", { use_dora: true }, { "x.lora_magnitude_vector": random([6], 3) }, "DoRA's update rests on the base"],
    ["lora_bias", { lora_bias: true }, { "x.lora_B.bias": random([6], 3) }, "lora_bias"],
    ["lora_bias that the config hides", {}, { "x.lora_B.bias": random([6], 3) }, "x.lora_B.bias"],
    ["KaSA", { kasa_config: { beta: 1 } }, {}, "kasa_config"],
    ["PiSSA's numbers for a changed base", { init_lora_weights: "pissa" }, {}, "pissa"],
    [
      "convolutions",
      {},
      { "c.lora_A.weight": random([4, 2, 3, 3], 3), "c.lora_B.weight": random([6, 4, 1, 1], 4) },
      '"c"',
    ],
  ]
  for (const [name, config, tensors, text] of refusals) {
    await test.step(`${name}: refused`, () =>
      inDirectory(async (directory) => {
        const all = { ...pair("x", 6, 4, 8, 1), ...tensors as ReturnType<typeof pair> }
        await writeAdapter(`${directory}/a`, { r: 4, lora_alpha: 4, ...config }, all)
        assertStringIncludes((await refused(directory, { adapters: [{ path: `${directory}/a` }] })).message, text)
        assertEquals([...Deno.readDirSync(directory)].length, 1)
      }))
  }
})

/** Adapters whose updates are given rows of numbers. */
async function writeRows(directory: string, updates: ReadonlyArray<ReadonlyArray<number>>) {
  for (const [i, update] of updates.entries()) {
    const tensors = { "x.lora_A.weight": rows(update), "x.lora_B.weight": rows([1]) }
    await writeAdapter(`${directory}/${i}`, { r: 1, lora_alpha: 1 }, tensors)
  }
}

Deno.test("ties, worked by hand", () =>
  inDirectory(async (directory) => {
    await writeRows(directory, [[1, -2, 0.5, 0.1], [-0.5, -1, 3, -0.2], [1, 1, -4, 0.05]])
    const merge = async (weights: ReadonlyArray<number>, more: Partial<Options> = {}) => {
      const adapters = weights.map((weight, i) => ({ path: `${directory}/${i}`, weight }))
      await combine(directory, { adapters, combinationType: "ties", density: 0.5, ...more })
      return [...deltasOf(`${directory}/out`).get("x")!].map((value) => Math.round(value * 1e6) / 1e6 + 0)
    }
    assertEquals(await merge([1, 1]), [1, -1.5, 3, 0])
    // The second's sign is turned before the vote: [., 1, -3, .] beside [1, -2, ., .].
    assertEquals(await merge([1, -1]), [1, -2, -3, 0])
    assertEquals(await merge([2, 1]), [2, -2.5, 3, 0])
    // Of the third [1, ., -4, .] or [., 1, -4, .]: of equal ones the first stays.
    assertEquals(await merge([1, 1, 1]), [1, -1.5, -4, 0])
    assertEquals(await merge([1, 1, 1], { density: 1 }), [1, -1.5, -4, -0.2])
    assertEquals(await merge([1, 1, 1], { density: 1, majoritySignMethod: "frequency" }), [1, -1.5, 1.75, 0.075])
  }))

Deno.test("dare keeps a share of the elements, rescaled, by its seed", () =>
  inDirectory(async (directory) => {
    await writeAdapter(`${directory}/a`, { r: 4, lora_alpha: 8 }, pair("x", 40, 4, 50, 1))
    await writeAdapter(`${directory}/b`, { r: 4, lora_alpha: 8 }, pair("x", 40, 4, 50, 2))
    const [a, b] = ["a", "b"].map((name) => deltasOf(`${directory}/${name}`).get("x")!)
    const merge = async (options: Partial<Options>, weights = [0.5]) => {
      const adapters = weights.map((weight, i) => ({ path: `${directory}/${"ab"[i]}`, weight }))
      await combine(directory, { adapters, combinationType: "dare_linear", density: 0.25, svdRank: 40, ...options })
      return deltasOf(`${directory}/out`).get("x")!
    }
    const scale = Math.hypot(...a)
    const near = (got: ArrayLike<number>, wanted: ArrayLike<number>) => distance(got, wanted) < 1e-6 * scale
    const first = await merge({})
    const kept = first.map((value) => Math.abs(value) > 1e-5 ? 1 : 0)
    const share = kept.reduce((sum, one) => sum + one, 0) / kept.length
    assert(Math.abs(share - 0.25) < 0.04, `${share} stay`)
    assert(near(first, a.map((value, i) => kept[i] * 0.5 * value / 0.25)))
    assertEquals(await merge({}), first)
    assert(!near(await merge({ seed: 1 }), first))
    assert(near(await merge({ density: 1 }, [1, -2]), a.map((value, i) => value - 2 * b[i])))
    assert(near(
      await merge({ density: 1, combinationType: "dare_ties" }, [1, 1]),
      a.map((value, i) => {
        const sign = value + b[i] >= 0 ? 1 : -1
        const agreeing = [value, b[i]].filter((one) => Math.sign(one) === sign)
        return agreeing.reduce((sum, one) => sum + one, 0) / Math.max(1, agreeing.length)
      }),
    ))
  }))

Deno.test("a whole update at a lower rank is as near as can be", () =>
  inDirectory(async (directory) => {
    await writeAdapter(`${directory}/a`, { r: 4, lora_alpha: 4 }, pair("x", 60, 4, 50, 1))
    await writeAdapter(`${directory}/b`, { r: 4, lora_alpha: 4 }, pair("x", 60, 4, 50, 2))
    const adapters = ["a", "b"].map((name) => ({ path: `${directory}/${name}` }))
    const options = { adapters, combinationType: "ties" as const, density: 0.5 }
    await combine(directory, { ...options, svdRank: 50 })
    const { lora_A, lora_B } = Object.fromEntries(
      [...tensorsOf(`${directory}/out`)].map(([name, { data }]) => [name.split(".").at(-2)!, data]),
    )
    // Columns of B are singular vectors times singular values where A's rows are orthonormal.
    const values = Array.from({ length: 50 }, (_, k) =>
      Math.hypot(...Array.from({ length: 60 }, (_, i) => lora_B[i * 50 + k])))
    for (let k = 1; k < 50; k++) {
      assert(values[k] <= values[k - 1] * (1 + 1e-6))
    }
    assertAlmostEquals(Math.hypot(...lora_A.subarray(0, 50)), 1, 1e-6)
    const best = Math.hypot(...values.slice(6)) / Math.hypot(...values)
    const { worst } = await combine(directory, { ...options, svdRank: 6, tolerance: 1 })
    assert(worst.error >= best * (1 - 1e-6) && worst.error < best * 1.001, `${worst.error}, ${best} is possible`)
    const error = await refused(directory, { ...options, svdRank: 6 })
    assertEquals([error.reason, error.module], ["Inexact", "x"])
    assertStringIncludes(error.message, "50 is exact")
  }))

const config = {
  model_type: "qwen2",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
}

Deno.test("a combination of adapters in memory does what they do together, loaded by its files", () =>
  inDirectory(async (directory) => {
    const batch: BatchTensors = {
      tokens: ops.input("tokens", [2, 5], { dtype: "i32", batch: true }),
      lengths: ops.input("lengths", [2], { dtype: "i32", batch: true }),
      fields: { labels: ops.input("labels", [2], { dtype: "i32", batch: true }) },
      exampleWeight: ops.input("exampleWeight", [2], { batch: true }),
      task: "default",
    }
    const inputs = { tokens: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], lengths: [5, 5] }
    const both = Layer.mergeAll(
      Lora.layer({
        name: "a",
        r: 3,
        loraAlpha: 6,
        initLoraWeights: false,
        rankPattern: { "layers.1.self_attn.q_proj": 2 },
      }),
      Lora.layer({ name: "b", r: 2, useRslora: true, initLoraWeights: false, targetModules: ["q_proj", "down_proj"] }),
    ) as Layer.Layer<Lora.Lora, never, Base>
    const task = Task.causalLM()
    const together = memoryBackend()
    const { logits, plain } = await run(
      Effect.gen(function* () {
        const model = yield* initialize(config, { task })
        yield* Lora.combine({
          adapters: [{ model, name: "a" }, { model, name: "b" }],
          output: `${directory}/out`,
        })
        yield* saveAdapters(model, `${directory}/saved`)
        const data = { inputs, slots: together.slots }
        const graph = (methods: boolean) => model.forward(batch, { training: false, methods }).logits
        yield* saveCheckpoint(model.view({ only: [] }), `${directory}/base`)
        return { logits: evaluate(graph(true), data), plain: evaluate(graph(false), data) }
      }),
      both,
      together,
    )
    assert(distance(logits, plain) > 1e-3)
    const alone = memoryBackend()
    const again = await run(
      Effect.gen(function* () {
        const model = yield* load(`${directory}/base`, { task })
        return evaluate(model.forward(batch, { training: false }).logits, { inputs, slots: alone.slots })
      }),
      Lora.fromPeft(`${directory}/out`) as unknown as typeof both,
      alone,
    )
    const error = distance(again, logits)
    assert(error < 1e-5, `logits are off by ${error}`)
    // The same from the folders of one run.
    await Effect.runPromise(
      Lora.combine({
        adapters: ["a", "b"].map((name) => ({ path: `${directory}/saved`, name })),
        output: `${directory}/again`,
      }).pipe(Effect.provide(NodeFileSystem.layer)),
    )
    const file = (name: string) => Deno.readFileSync(`${directory}/${name}/adapter_model.safetensors`)
    assertEquals(file("again"), file("out"))
  }))

Deno.test("heads and biases are averaged by weight, and noted; PEFT's own files are read", () =>
  inDirectory(async (directory) => {
    const one = fixture("lora/classification")
    await Deno.mkdir(`${directory}/two`)
    for (const file of ["adapter_config.json", "adapter_model.safetensors"]) {
      await Deno.copyFile(`${one}/${file}`, `${directory}/two/${file}`)
    }
    const path = `${directory}/two/adapter_model.safetensors`
    const tensors = new Map([...tensorsOf(`${directory}/two`)].map(([name, { shape, data }]) => {
      return [name, { shape, data: /lora_|up_proj/.test(name) ? data : data.map((value) => value + 4) }]
    }))
    await Deno.writeFile(path, encodeTensors(tensors))
    const report = await combine(directory, {
      adapters: [{ path: one, weight: 3 }, { path: `${directory}/two`, weight: 1 }],
    })
    const [before, after] = [tensorsOf(one), tensorsOf(`${directory}/out`)]
    assertEquals([...after.keys()].sort(), [...before.keys()].sort())
    for (
      const name of [
        "base_model.model.score.weight",
        "base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias",
      ]
    ) {
      assert(distance(after.get(name)!.data, before.get(name)!.data.map((value) => value + 1)) < 1e-6, name)
    }
    assert(report.notes.some((note) => note.includes('"score.weight" trained whole')))
    const { modules_to_save, task_type, target_modules } = configOf(`${directory}/out`)
    const theirs = configOf(one)
    assertEquals(modules_to_save, theirs.modules_to_save.toSorted())
    assertEquals([task_type, target_modules], [theirs.task_type, theirs.target_modules.toSorted()])
    const cancelled = await refused(directory, {
      adapters: [{ path: one, weight: 1 }, { path: `${directory}/two`, weight: -1 }],
    })
    assertStringIncludes(cancelled.message, "has no average: the weights sum to 0")
  }))

Deno.test("updates that cancel each other leave nothing", () =>
  inDirectory(async (directory) => {
    await writeAdapter(`${directory}/a`, { r: 4, lora_alpha: 4 }, pair("x", 6, 4, 8, 1))
    for (const combinationType of ["cat", "linear", "svd"] as const) {
      const adapters = [1, -1].map((weight) => ({ path: `${directory}/a`, weight }))
      const { worst } = await combine(directory, { adapters, combinationType })
      assert(worst.error < 1e-5)
      assert(Math.hypot(...deltasOf(`${directory}/out`).get("x")!) < 1e-6)
    }
    // Nearly: 32 bits hold what is left, but not as the difference of what it is left of.
    const adapters = [0.7, -0.7000001].map((weight) => ({ path: `${directory}/a`, weight }))
    const error = await refused(directory, { adapters })
    assertEquals([error.reason, error.module], ["Inexact", "x"])
    assertStringIncludes(error.message, 'beyond what 32 bits hold; take "svd"')
    assert((await combine(directory, { adapters, combinationType: "svd" })).worst.error < 1e-6)
  }))

Deno.test("adapters that do not belong together, and options that make no sense, are errors", () =>
  inDirectory(async (directory) => {
    const write = (name: string, tensors: Parameters<typeof writeAdapter>[2], config = {}) =>
      writeAdapter(`${directory}/${name}`, { r: 2, lora_alpha: 2, ...config }, tensors)
    await write("a", { ...pair("x", 6, 2, 8, 1), "score.weight": random([2, 8], 2) })
    await write("wide", pair("x", 6, 2, 9, 1))
    await write("head", { ...pair("x", 6, 2, 8, 1), "score.weight": random([3, 8], 2) })
    await write("whole", { ...pair("y", 6, 2, 8, 1), "x.weight": random([6, 8], 2) })
    await write("bias", pair("x", 6, 2, 8, 1), { bias: "all" })
    await write("rank", pair("x", 6, 2, 8, 1), { r: 3 })
    await write("half", { "x.lora_A.weight": random([2, 8], 1) })
    await write("nan", { "x.lora_A.weight": random([2, 8], 1), "x.lora_B.weight": rows([1, 2], [3, NaN]) })
    await write("empty", {})
    await write("other", pair("x", 6, 2, 8, 1), { peft_type: "IA3" })
    const before = [...Deno.readDirSync(directory)].length
    const beside = (name: string) => ({ adapters: ["a", name].map((own) => ({ path: `${directory}/${own}` })) })
    const a = [{ path: `${directory}/a` }]
    const cases: ReadonlyArray<readonly [unknown, string]> = [
      [beside("wide"), '"x" is [6, 8] in'.replaceAll(", ", ",")],
      [beside("head"), "combine adapters of the same labels"],
      [beside("whole"), '"x" trained whole in'],
      [beside("bias"), "different biases"],
      [beside("rank"), "A [3, ...]"],
      [beside("half"), '"x" has lora_A [2,8]'],
      [beside("nan"), "not finite"],
      [beside("other"), "peft_type"],
      [beside("nowhere"), "no such file"],
      [{ adapters: [{ path: `${directory}/empty` }] }, "no update of any module"],
      [{ adapters: [] }, "adapters must be a list of at least 1, got []"],
      [{ adapters: [{ path: "a", weight: 0 }] }, "adapters[0].weight must be a number other than 0, got 0"],
      [{ adapters: [{ path: "a", weight: NaN }] }, "got NaN"],
      [{ adapters: a, output: `${directory}/a/` }, "apart from the adapters"],
      [{ adapters: a, output: directory }, "apart from the adapters"],
      [{ adapters: [{ path: directory, name: "a" }], output: `${directory}/./a` }, "apart from the adapters"],
      [
        { adapters: [{ path: "a", wieght: 2 }] },
        'unknown option "adapters[0].wieght"; the nearest known one is "weight"',
      ],
      [{ adapters: [{ name: "a" }] }, "adapters[0] must be with a path or a model"],
      [{ adapters: a, combinationType: "tie" }, 'got "tie"'],
      [{ adapters: a, svd_rank: 3 }, 'unknown option "svd_rank"; the nearest known one is "svdRank"'],
      [{ adapters: a, combinationType: "svd", svdRank: 0 }, "svdRank must be a whole number from 1, got 0"],
      [{ adapters: a, svdRank: 3 }, '"cat" keeps the rank'],
      [{ adapters: a, combinationType: "ties" }, "density must be above 0"],
      [{ adapters: a, combinationType: "dare_linear", density: 1.5 }, "got 1.5"],
      [{ adapters: a, combinationType: "svd", density: 0.5 }, "leaves nothing out"],
      [{ adapters: a, combinationType: "ties", density: 0.5, majoritySignMethod: "most" }, '"most"'],
      [{ adapters: a, seed: -1 }, "seed must be"],
      [{ adapters: a, tolerance: 0 }, "tolerance must be"],
    ]
    for (const [options, text] of cases) assertStringIncludes((await refused(directory, options)).message, text)
    assertEquals([...Deno.readDirSync(directory)].length, before)
  }))

Deno.test("where PEFT is right, the result is PEFT's", async (test) => {
  const path = (name: string) => fixture(`lora/combined/${name}`)
  const cases: ReadonlyArray<readonly [string, Partial<Options>]> = [
    ["cat", {}],
    ["svd", { combinationType: "svd", svdRank: 3, tolerance: 1 }],
    ["ties", { combinationType: "ties", svdRank: 16, density: 0.3 }],
    ["ties_frequency", { combinationType: "ties", svdRank: 16, density: 0.6, majoritySignMethod: "frequency" }],
  ]
  for (const [name, options] of cases) {
    await test.step(name, () =>
      inDirectory(async (directory) => {
        const adapters = [{ path: path("a"), weight: 0.7 }, { path: path("b"), weight: 1.5 }]
        await combine(directory, { adapters, ...options })
        const [ours, theirs] = [deltasOf(`${directory}/out`), deltasOf(path(name))]
        assertEquals([...ours.keys()].sort(), [...theirs.keys()].sort())
        for (const [module, delta] of theirs) {
          const error = relative(ours.get(module)!, delta)
          assert(error < 1e-5, `${module} is off by ${error}`)
        }
        const [our, their] = [configOf(`${directory}/out`), configOf(path(name))]
        for (const field of ["r", "lora_alpha", "use_rslora", "task_type"]) assertEquals(our[field], their[field])
        assertEquals(our.target_modules, their.target_modules.toSorted())
      }))
  }
})
