import { assert, assertEquals, assertStringIncludes } from "@std/assert"
import * as Effect from "effect/Effect"
import { load, loadAdapters, readParameters, saveAdapters } from "../../../core/model/mod.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import * as MultitaskPromptTuning from "../../../plugins/multitask_prompt_tuning/mod.ts"
import { memoryBackend } from "../../support/memory_backend.ts"
import { distance, failure, fixture, run } from "../../support/model_layer.ts"
import { inDirectory, logits, shapesIn } from "../files.ts"

const base = fixture("llama/llama")
const tasks = { one: Task.causalLM(), other: Task.causalLM() }
const { layer, fromPeft } = MultitaskPromptTuning

Deno.test("saved for each task in PEFT's tensors, by the tasks' order; loaded, and read by fromPeft", () =>
  inDirectory(async (directory) => {
    const backend = memoryBackend()
    const before = await run(
      Effect.gen(function* () {
        const model = yield* load(base, { tasks })
        assert(
          distance(logits(model.view({ task: "one" }), backend), logits(model.view({ task: "other" }), backend)) > 0,
        )
        yield* saveAdapters(model, `${directory}/saved`)
        return (yield* readParameters(model)).map(({ data }) => data)
      }),
      layer({ numVirtualTokens: 3, numRanks: 2 }),
      backend,
    )
    for (const task of ["one", "other"]) {
      const shapes = shapesIn(`${directory}/saved/${task}/adapter_model.safetensors`)
      assertEquals(shapes, {
        prompt_embeddings: [3, 16],
        prefix_task_cols: [2, 3, 2],
        prefix_task_rows: [2, 2, 16],
      })
      const config = JSON.parse(Deno.readTextFileSync(`${directory}/saved/${task}/adapter_config.json`))
      assertEquals([config.peft_type, config.num_tasks, config.num_ranks, config.espalier_tasks], [
        "MULTITASK_PROMPT_TUNING",
        2,
        2,
        ["one", "other"],
      ])
    }
    const values = (seed: number, from: boolean, order = tasks) =>
      Effect.gen(function* () {
        const model = yield* load(base, { tasks: order, seed })
        if (!from) yield* loadAdapters(model, `${directory}/saved`)
        return (yield* readParameters(model)).map(({ data }) => data)
      })
    assertEquals(await run(values(7, false), layer({ numVirtualTokens: 3, numRanks: 2 })), before)
    const swapped = { other: tasks.other, one: tasks.one }
    const order = await failure(values(7, false, swapped), layer({ numVirtualTokens: 3, numRanks: 2 }))
    assertStringIncludes(order.message, 'its tasks are ["one","other"], in this order')
    const read = fromPeft(`${directory}/saved/one`) as never
    assertEquals(await run(values(7, true), read), before)
    const alone = await run(
      Effect.gen(function* () {
        const model = yield* load(base, { tasks: { other: Task.causalLM() }, seed: 3 })
        return (yield* readParameters(model)).map(({ parameter }) => parameter.name)
      }),
      read,
    )
    assertEquals(alone, ["embedding.weight", "prefix_task_cols.other", "prefix_task_rows.other"])
    const wrong = await failure(load(base, { tasks: { third: Task.causalLM() } }), read)
    assertStringIncludes(wrong.message, 'the model has the task "third"; the prompt has ["one","other"]')
    const unnamed = await failure(load(base, { task: Task.causalLM() }), read)
    assertStringIncludes(unnamed.message, "load it with the name of its task")
  }))

Deno.test("starts from another run's files, or from the tokens of a text", () =>
  inDirectory(async (directory) => {
    const sizes = { numVirtualTokens: 3, numRanks: 2 }
    const valuesWith = (options: MultitaskPromptTuning.MultitaskPromptTuningOptions, save = false) =>
      run(
        Effect.gen(function* () {
          const model = yield* load(base, { tasks, seed: save ? 5 : 6 })
          if (save) yield* saveAdapters(model, directory)
          const own = yield* readParameters(model)
          return Object.fromEntries(own.map(({ parameter, data }) => [parameter.name, Array.from(data)]))
        }),
        layer({ ...sizes, ...options }),
      )
    const fresh = await valuesWith({}, true)
    const promptTuningInitStateDictPath = `${directory}/one/adapter_model.safetensors`
    const from = { promptTuningInitStateDictPath }

    const shared = await valuesWith({ ...from, promptTuningInit: "ONLY_SOURCE_SHARED" })
    assertEquals(shared["embedding.weight"], fresh["embedding.weight"])
    assert(`${shared["prefix_task_cols.one"]}` !== `${fresh["prefix_task_cols.one"]}`)
    const exact = await valuesWith({ ...from, promptTuningInit: "EXACT_SOURCE_TASK", promptTuningInitTask: 1 })
    const average = await valuesWith({ ...from, promptTuningInit: "AVERAGE_SOURCE_TASKS" })
    for (const factor of ["prefix_task_cols", "prefix_task_rows"]) {
      const [one, other] = [fresh[`${factor}.one`], fresh[`${factor}.other`]]
      const mean = one.map((value, i) => Math.fround((value + other[i]) / 2))
      for (const task of ["one", "other"]) {
        assertEquals(exact[`${factor}.${task}`], other)
        assertEquals(average[`${factor}.${task}`], mean)
      }
    }
    const text = await valuesWith({ promptTuningInitText: [4, 2] })
    const rows = text["embedding.weight"], width = rows.length / 3
    assertEquals(rows.slice(2 * width), rows.slice(0, width))
    assert(`${rows.slice(0, width)}` !== `${fresh["embedding.weight"].slice(0, width)}`)

    const refused = (options: MultitaskPromptTuning.MultitaskPromptTuningOptions) =>
      failure(load(base, { tasks }), layer({ ...sizes, ...from, ...options }))
    const none = await refused({ promptTuningInit: "EXACT_SOURCE_TASK", promptTuningInitTask: 2 })
    assertEquals(none._tag, "PluginError")
    assertStringIncludes(none.message, "promptTuningInitTask is 2; the source has 2 tasks, from 0")
    const ranks = await refused({ promptTuningInit: "AVERAGE_SOURCE_TASKS", numRanks: 3 })
    assertStringIncludes(ranks.message, "of another number of tokens or ranks")
    const without = await refused({ promptTuningInit: "RANDOM" })
    assertStringIncludes(
      without.message,
      "promptTuningInitStateDictPath must be given with a promptTuningInit from a source",
    )
  }))
