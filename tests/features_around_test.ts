/**
 * The table "Around a method" of `FEATURES.md`: each cell trains two steps around LoRA, or is refused before the first one.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Backend, type BackendService } from "../core/backend/backend.ts"
import { layer as pluginsLayer } from "../core/contracts/plugins.ts"
import { layer as familiesLayer } from "../core/model/load/families.ts"
import { load } from "../core/model/mod.ts"
import type { Data } from "../core/tasks/dataset/dataset.ts"
import { fit } from "../core/training/fit.ts"
import type { TrainingData } from "../core/training/loop/training_data.ts"
import * as Curriculum from "../plugins/curriculum/mod.ts"
import * as DifferentialPrivacy from "../plugins/differential_privacy/mod.ts"
import * as Llama from "../plugins/llama/mod.ts"
import * as Lora from "../plugins/lora/mod.ts"
import * as Multitask from "../plugins/multitask/mod.ts"
import * as MultitaskPromptTuning from "../plugins/multitask_prompt_tuning/mod.ts"
import * as Replay from "../plugins/replay/mod.ts"
import { withBackend } from "./core/backend/wasm/with_backend.ts"
import { DATA, TASKS } from "./plugins/compositions/run.ts"
import type { TaskName } from "./plugins/compositions/draw.ts"
import type { Base } from "./support/model_layer.ts"

/** Tasks by the table's columns; one alone has no name. */
const COLUMNS: Readonly<Record<string, ReadonlyArray<TaskName>>> = {
  "Classification": ["topic"],
  "Multi-label": ["marks"],
  "Regression": ["size"],
  "Token classification": ["tags"],
  "Causal LM": ["text"],
  "Several tasks": ["topic", "text"],
}

const privacy = { noiseMultiplier: 1, delta: 1e-3, accountant: "rdp" } as const
/** Plugins by the table's rows. */
const ROWS: Readonly<Record<string, (old: string) => unknown>> = {
  "Differential privacy": () => DifferentialPrivacy.layer(privacy),
  "Adaptive clipping": () => DifferentialPrivacy.layer({ ...privacy, noiseMultiplier: 0.1, clipping: "adaptive" }),
  "Curriculum": () => Curriculum.layer({ difficulty: "length" }),
  "Multitask": () => Multitask.layer({ gradientSurgery: "pcgrad", lossWeights: "uncertainty" }),
  "Multitask prompt tuning": () => MultitaskPromptTuning.layer({ numVirtualTokens: 2 }),
  "Distillation": () => Replay.distill(),
  "Old rows": (old) => Replay.rows({ tasks: [old], share: 0.5 }),
  "Elastic weights": (old) => Replay.elasticWeights({ lambda: 1, rows: [old] }),
}

const half = (data: Data, parity: number): Data => ({ ...data, rows: data.rows.filter((_, i) => i % 2 === parity) })

/** Steps that are done, and the error of a refused run. */
async function run(backend: BackendService, row: string, tasks: ReadonlyArray<TaskName>) {
  const base = Layer.mergeAll(Layer.succeed(Backend, backend), pluginsLayer, familiesLayer, NodeFileSystem.layer)
  const [first] = tasks
  const several = tasks.length > 1
  // Old rows of a model of several tasks are those of one of them.
  const name = several ? first : "old"
  const own = ROWS[row](name) as Layer.Layer<never, never, Base>
  const layers = Layer.mergeAll(Llama.layer, Lora.layer({ r: 2 }), own).pipe(Layer.provideMerge(base))
  const by = <A>(of: (task: TaskName) => A) => Object.fromEntries(tasks.map((task) => [task, of(task)]))
  const [fresh, old] = [half(DATA[first], 0), { [name]: half(DATA[first], 1) }]
  const train: TrainingData["train"] = several
    ? by((task) => DATA[task])
    : row === "Old rows"
    ? { fresh, ...old }
    : fresh
  const losses: Array<number> = []
  const program = Effect.gen(function* () {
    const model = yield* load(new URL("../examples/models/espalier-1m", import.meta.url).pathname, {
      ...several ? { tasks: by((task) => TASKS[task]) } : { task: TASKS[first] },
      seed: 1,
    })
    yield* fit(model, { train }, {
      ...row === "Elastic weights" ? { retain: old } : {},
      maxSteps: 2,
      batchSize: 3,
      seed: 1,
      observe: (event) => Effect.sync(() => event.type === "step" && losses.push(event.loss)),
    })
  })
  const exit = await Effect.runPromiseExit(Effect.scoped(program).pipe(Effect.provide(layers, { local: true })))
  return { losses, error: Exit.isFailure(exit) ? Cause.squash(exit.cause) as { _tag?: string } & Error : undefined }
}

const text = Deno.readTextFileSync(new URL("../FEATURES.md", import.meta.url))
const [head, , ...lines] = text.split("## Around a method\n")[1].split("\n## ")[0].split("\n").filter((line) =>
  line.startsWith("|")
)
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

Deno.test("the table around a method has a cell for each plugin and task", () => {
  assertEquals(head.slice(1), Object.keys(COLUMNS))
  assertEquals(lines.map(([row]) => row), Object.keys(ROWS))
})

Deno.test("each cell around a method trains, or is refused before the first step", (t) =>
  withBackend({ threads: 1 }, async (backend) => {
    for (const [row, ...cells] of lines) {
      for (const [i, says] of cells.entries()) {
        await t.step(`${row}, ${head[i + 1]}`, async () => {
          const { losses, error } = await run(backend, row, COLUMNS[head[i + 1]])
          assertEquals(error === undefined ? "wasm" : "no", says, error?.message)
          if (error !== undefined) assert(/^(Plugin|Training)Error$/.test(error._tag ?? ""), error.message)
          assertEquals(losses.length, error === undefined ? 2 : 0)
          assert(losses.every(Number.isFinite), `${losses}`)
        })
      }
    }
  }))
