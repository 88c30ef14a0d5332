/**
 * `lora_step.ts directory [profile] [--threads N] [--weights bf16|Q4_1|NF4] [--rows N] [--private]`: the LoRA step on Espalier,
 * its wasm backend, on the model, adapter and batch that peers/peft_step.py made, in micro-batches of so many rows. A profile
 * of the steps after the eighth goes to the file `profile`. Answers `account` with an {@link Account}.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { parseArgs } from "node:util"
import type { Slot } from "../../../core/backend/backend.ts"
import * as Wasm from "../../../core/backend/wasm/backend.ts"
import { layer as pluginsLayer } from "../../../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../../../core/model/load/families.ts"
import { load } from "../../../core/model/mod.ts"
import { packOrCollate } from "../../../core/data/batches/packed_row.ts"
import { Task } from "../../../core/tasks/builtin.ts"
import { bytesFor, type Encoding } from "../../../kernels/encoding.ts"
import { encodingOf } from "../../../kernels/encodings.ts"
import { sizeOf } from "../../../core/tensor/shape.ts"
import { makeSession } from "../../../core/training/session.ts"
import type * as Llama from "../../../plugins/llama/mod.ts"
import * as Lora from "../../../plugins/lora/mod.ts"
import { serve } from "../serve.ts"
// As whoever trains has all of it: suite `cold` counts the time that it takes to load.
import "@espalier/espalier"

/** Of a token without a label. As core/data/encode.ts has it, which a step needs nothing else of. */
const MASKED = -100

/** Bytes of each part. */
interface Parts {
  /** The model's parameters. */
  readonly weights: number
  /** What the optimizer keeps. */
  readonly optimizer: number
  /** Everything that a step needs for its own time. */
  readonly activations: number
}
/** What the memory of a step is for. */
export interface Account {
  /** As the sizes of slots and the plan of the step say. */
  readonly planned: Parts
  /** By how much resident memory grew when that part was made. */
  readonly resident: Parts
}

const { values: options, positionals: [directory, profile] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    weights: { type: "string", default: "stored" },
    rows: { type: "string", default: "Infinity" },
    private: { type: "boolean", default: false },
  },
})
const given: {
  readonly task: "SEQ_CLS" | "CAUSAL_LM"
  readonly inputIds: ReadonlyArray<ReadonlyArray<number>>
  readonly labels: ReadonlyArray<number> | ReadonlyArray<ReadonlyArray<number>>
} = JSON.parse(await Deno.readTextFile(`${directory}/batches.json`))
const rows = given.inputIds.length
const classifies = given.task === "SEQ_CLS"
/** Families by model type; those of Llama's kind have none here. */
const families: Readonly<Record<string, () => Promise<{ readonly layer: typeof Llama.layer }>>> = {
  bert: () => import("../../../plugins/bert/mod.ts"),
  modernbert: () => import("../../../plugins/modernbert/mod.ts"),
}
const { model_type } = JSON.parse(await Deno.readTextFile(`${directory}/model/config.json`))
const { layer: family } = await (families[model_type] ?? (() => import("../../../plugins/llama/mod.ts")))()
const task = classifies ? Task.classification(["LABEL_0", "LABEL_1"]) : Task.causalLM()

/** Encodings in blocks, by name. */
const packed: Readonly<Record<string, () => Promise<Encoding>>> = {
  Q4_1: async () => (await import("../../../kernels/encodings/q4_1.ts")).Q4_1,
  NF4: async () => (await import("../../../kernels/encodings/nf4.ts")).nf4(),
}
const weights = await packed[options.weights]?.() ?? options.weights as "stored" | "f32" | "bf16" | "f16"

const resident = () => Deno.memoryUsage().rss
const bytes = (slots: ReadonlyArray<Slot>) =>
  slots.reduce((sum, { shape, storage }) => sum + bytesFor(encodingOf(storage), sizeOf(shape)), 0)

const program = Effect.gen(function* () {
  const before = resident()
  const model = yield* load(`${directory}/model`, { task, weights })
  const loaded = resident()
  const session = yield* Effect.promise(() => makeSession(model, { maxGradNorm: 0, seed: 0, examplesPerStep: rows }))
  const state = session.slots.filter(({ name }) => !name.startsWith("parameter/"))
  const zeros = new Float32Array(Math.max(...state.map(({ slot }) => sizeOf(slot.shape))))
  // Memory that nobody has written to is not there yet.
  for (const { slot } of state) {
    yield* Effect.promise(() => model.backend.write(slot, zeros.subarray(0, sizeOf(slot.shape))))
  }
  const ready = resident()
  const examples = given.inputIds.map((ids, row) => ({
    tokens: Int32Array.from(ids),
    // The last token has no label.
    fields: { labels: Int32Array.from(classifies ? [given.labels[row] as number] : [...ids.slice(1), MASKED]) },
    index: row,
    row,
  }))
  const longest = Math.max(...examples.map(({ tokens }) => tokens.length))
  const size = Math.min(rows, Number(options.rows))
  const batches = Array.from({ length: Math.ceil(rows / size) }, (_, i) => {
    const own = Int32Array.from({ length: Math.min(size, rows - i * size) }, (_, row) => i * size + row)
    const length = Math.max(...Array.from(own, (row) => examples[row].tokens.length))
    return packOrCollate(examples, { task: "default", rows: own, length }, longest, model.task)
  })
  const account = (): Account => ({
    planned: {
      weights: bytes(model.parameters.map(({ slot }) => slot)),
      optimizer: bytes(state.map(({ slot }) => slot)),
      activations: model.backend.memory().temporaryBytes,
    },
    resident: { weights: loaded - before, optimizer: ready - loaded, activations: resident() - ready },
  })
  const record = profile === undefined
    ? undefined
    : (yield* Effect.promise(() => import("../profile_steps.ts"))).profileTo(profile)
  let step = 0
  yield* Effect.promise(() =>
    serve(async () => {
      step++
      const trace = record !== undefined && step > 8
      const posted = await session.post({ batches, trace }, 1e-3)
      const [{ loss, trace: times }] = [...posted, ...await session.drain()]
      if (times !== undefined) await record?.(times)
      return loss
    }, { account })
  )
})

const platform = Layer.mergeAll(
  Wasm.layer({ threads: Number(options.threads) }),
  pluginsLayer,
  familiesLayer,
  NodeFileSystem.layer,
)
const privacy = options.private ? (await import("./private.ts")).layer : Layer.empty
const all = Layer.mergeAll(Lora.fromPeft(`${directory}/adapter`), family, privacy).pipe(
  Layer.provideMerge(platform),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
