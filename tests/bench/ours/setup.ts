/**
 * `setup.ts layers [checkout]`: from a model's structure to the code of a training step, without weights: a Llama of
 * SmolLM2-135M's shape, but of so many layers, LoRA r 8 on query and value, a packed row of 256 tokens. Answers each step
 * with its milliseconds, and `program` with a {@link SetupProgram}. With the path of another checkout that one's code is
 * measured; Deno then needs its `--config` too.
 * @module
 */
import type { Slot } from "../../../core/backend/backend.ts"
import type { Program } from "../../../core/graph/program.ts"
import { serve } from "../serve.ts"
import { config as smolLM2 } from "../smollm2.ts"

/** What came of the last step. */
export interface SetupProgram {
  /** Kernel calls. */
  readonly calls: number
  /** SHA-256 of the program as JSON, and of the code. */
  readonly program: string
  readonly code: string
  /** Milliseconds of the parts of the last step. */
  readonly parts: Readonly<Record<"trace" | "build" | "lower", number>>
}

const [layers, checkout = decodeURIComponent(new URL("../../../", import.meta.url).pathname)] = Deno.args
const load = (path: string) => import(`file://${checkout.replace(/\/?$/, "/")}${path}`)

const Effect: typeof import("effect/Effect") = await import("effect/Effect")
const Layer: typeof import("effect/Layer") = await import("effect/Layer")
const { Backend }: typeof import("../../../core/backend/backend.ts") = await load("core/backend/backend.ts")
const { lower }: typeof import("../../../core/backend/wasm/lower.ts") = await load("core/backend/wasm/lower.ts")
const { layer: plugins }: typeof import("../../../core/contracts/plugins.ts") = await load("core/contracts/plugins.ts")
const { build }: typeof import("../../../core/graph/build.ts") = await load("core/graph/build.ts")
const families: typeof import("../../../core/model/load/families.ts") = await load("core/model/load/families.ts")
const { initialize }: typeof import("../../../core/model/mod.ts") = await load("core/model/mod.ts")
const { descendants }: typeof import("../../../core/model/module.ts") = await load("core/model/module.ts")
const { Task }: typeof import("../../../core/tasks/builtin.ts") = await load("core/tasks/builtin.ts")
const { adamW }: typeof import("../../../core/training/optimizers/adamw.ts") = await load(
  "core/training/optimizers/adamw.ts",
)
const { packedInputs }: typeof import("../../../core/data/batches/batch_inputs.ts") = await load(
  "core/data/batches/batch_inputs.ts",
)
const { stepGraph }: typeof import("../../../core/training/step/step_graphs.ts") = await load(
  "core/training/step/step_graphs.ts",
)
const { llama }: typeof import("../../../plugins/llama/mod.ts") = await load("plugins/llama/mod.ts")
const Lora: typeof import("../../../plugins/lora/mod.ts") = await load("plugins/lora/mod.ts")

const TOKENS = 256, EXAMPLES = 4, LONGEST = 128
const config = { ...smolLM2, num_hidden_layers: Number(layers) }

/** As a checkout before further memories asks for places. */
const older = { slotAddress: (id: number) => 64 * id }

/** Slots without memory. */
let count = 0
const allocate = (name: string, shape: ReadonlyArray<number>, dtype: Slot["dtype"] = "f32"): Slot => ({
  id: count++,
  name,
  shape,
  dtype,
})
const nowhere = Layer.succeed(Backend, {
  info: { name: "wasm", description: "slots without memory", threads: 1 },
  allocate,
  checkRoom: () => Promise.resolve(),
  free: () => {},
  write: () => Promise.resolve(),
  read: () => Promise.reject(new Error("nothing is there")),
  readEncoded: () => Promise.reject(new Error("nothing is there")),
  temporaryBytes: () => 0,
  compile: () => Promise.reject(new Error("nothing runs")),
  memory: () => ({ slotBytes: 0, temporaryBytes: 0, totalBytes: 0 }),
})

/** The family, but its base needs no first values. */
const family = families.family({
  ...llama,
  build: (config, head) => {
    const network = llama.build(config, head)
    const initializer = { kind: "values", data: new Float32Array(0) }
    for (const { parameters } of descendants(network.root)) {
      for (const spec of Object.values(parameters)) Object.assign(spec, { initializer })
    }
    return network
  },
})

const sha256 = async (data: Uint8Array<ArrayBuffer>): Promise<string> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex()

const program = Effect.gen(function* () {
  const model = yield* initialize(config, { task: Task.causalLM() })
  const optimizer = adamW()
  const parameters = new Map(model.parameters.map(({ key, tensor }) => [key, tensor]))
  const trained = model.parameters.filter(({ trainable }) => trainable)
  const settings = {
    forward: model.forward,
    parameter: (key: string) => parameters.get(key)!,
    trained,
    specOf: () => model.task,
    objective: model.task.objective,
    contributions: model.contributions,
    optimizer,
    weightDecay: 0,
    maxGradNorm: 1,
  }
  const state = {
    optimizer: new Map(trained.map(({ key, shape }) => [
      key,
      Object.fromEntries(
        Object.entries(optimizer.state(shape)).map(([name, spec]) => [name, allocate(name, spec.shape)]),
      ),
    ])),
    transforms: new Map(),
  }
  /** What came of the last step; that is told and hashed when asked for, beside the clock. */
  let last: { readonly program: Program; readonly code: Uint8Array<ArrayBuffer>; readonly parts: SetupProgram["parts"] }
  const step = (): Promise<number> => {
    const began = performance.now()
    const graph = stepGraph(settings, state, packedInputs("default", EXAMPLES, TOKENS, LONGEST, model.task))
    const traced = performance.now()
    const program = build(graph)
    const built = performance.now()
    const { code } = lower(program, {
      target: { relaxed: true, wide: true },
      threads: 2,
      shared: true,
      slotPlace: (id) => ({ memory: 0, address: 64 * id }),
      ...older,
    })
    const lowered = performance.now()
    last = { program, code, parts: { trace: traced - began, build: built - traced, lower: lowered - built } }
    return Promise.resolve(program.calls.length)
  }
  const told = async (): Promise<SetupProgram> => ({
    calls: last.program.calls.length,
    program: await sha256(new TextEncoder().encode(JSON.stringify(last.program))),
    code: await sha256(last.code),
    parts: last.parts,
  })
  yield* Effect.promise(() => serve(step, { program: told }))
})

const all = Layer.mergeAll(
  Lora.layer({ r: 8, ...(Deno.env.has("ALL") ? { targetModules: "all-linear" as const } : {}) }),
  family,
).pipe(
  Layer.provideMerge(Layer.mergeAll(nowhere, plugins, families.layer)),
)
await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(all)))
