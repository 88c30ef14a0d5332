import type { WeightEncoding } from "./load_options.ts"
import * as Effect from "effect/Effect"
import type * as EffectScope from "effect/Scope"
import { Backend, type Slot } from "../../backend/backend.ts"
import type { BackendError } from "../../backend/backend_error.ts"
import { inBackend } from "../../backend/in_backend.ts"
import type { Parameter } from "../../contracts/parameter.ts"
import * as ops from "../../tensor/ops.ts"
import { makeModel } from "../make_model.ts"
import type { Model, ModelParameter } from "../model.ts"
import type { Structure } from "./structure.ts"
import { trainsWhole } from "./trainable.ts"

/** Takes a model's memory, which is freed with the scope. */
export function assemble(
  structure: Structure,
  notes: ReadonlyArray<string>,
  storageOf: (frozen: Parameter) => WeightEncoding,
): Effect.Effect<Model, BackendError, Backend | EffectScope.Scope> {
  return Effect.gen(function* () {
    const { directory, tasks, network, tied, modules, contributions, sites, base, trains } = structure
    const { record, changed: { companions } } = structure
    const backend = yield* Backend
    const scope = yield* Effect.scope
    const slots: Slot[] = []
    yield* Effect.addFinalizer(() => Effect.sync(() => slots.forEach((slot) => backend.free(slot))))
    const allocate = (name: string, shape: ReadonlyArray<number>, storage?: WeightEncoding) => {
      const slot = backend.allocate(name, shape, "f32", storage)
      slots.push(slot)
      return { slot, tensor: ops.slot(slot) }
    }
    const keeps = !trainsWhole(contributions) || contributions.some(({ objective }) => objective !== undefined)
    const headOf = new Map(modules.map(({ path, task }) => [path, task]))
    /** Tasks whose batches reach a parameter. */
    const reaching = ({ tasks, module, owner }: Parameter): Pick<Parameter, "tasks"> => {
      const head = headOf.get(module)
      const own = tasks ?? (head === undefined ? contributions.find(({ id }) => id === owner)?.tasks : [head])
      return own === undefined ? {} : { tasks: own }
    }
    const parameters = yield* inBackend(() =>
      [...base, ...sites.parameters].map((given): ModelParameter => {
        const parameter = { ...given, ...reaching(given) }
        const { key, shape, owner } = parameter
        const trainable = trains(parameter)
        const storage = trainable || owner !== "base" ? "f32" : storageOf(parameter)
        const memory = { ...parameter, trainable, ...allocate(key, shape, storage) }
        if (!keeps || !trainable || owner !== "base") return memory
        return { ...memory, original: allocate(`${key} as loaded`, shape) }
      })
    )
    return makeModel({
      directory,
      ...(companions === undefined ? {} : { companions }),
      task: Object.values(tasks)[0].task,
      tasks,
      config: record,
      modules,
      contributions,
      parameters,
      network,
      tied,
      backend,
      scope,
      notes,
      sites: sites.byModule,
    })
  })
}
