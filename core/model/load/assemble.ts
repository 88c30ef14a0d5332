import type { WeightEncoding } from "./load_options.ts"
import * as Effect from "effect/Effect"
import type * as EffectScope from "effect/Scope"
import { Backend, type Slot, type SlotRequest } from "../../backend/backend.ts"
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
    const allocate = ({ name, shape, dtype, storage, readOnly = false }: SlotRequest) => {
      const slot = backend.allocate(name, shape, dtype, storage, { readOnly })
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
    const planned = [...base, ...sites.parameters].map((given) => {
      const parameter = { ...given, ...reaching(given) }
      const { key, shape, owner } = parameter
      const trainable = trains(parameter)
      const isFrozen = !trainable && owner === "base"
      const whole = { shape, dtype: "f32" } as const
      // Vectors are few bytes, and are read in inner loops.
      const matrix = shape.length >= 2 ? { ...whole, readOnly: true } : whole
      const own: SlotRequest = isFrozen
        ? { name: key, ...matrix, storage: storageOf(parameter) }
        : { name: key, ...whole }
      const original: SlotRequest | undefined = keeps && trainable && owner === "base"
        ? { name: `${key} as loaded`, ...matrix }
        : undefined
      return { parameter: { ...parameter, trainable }, own, original }
    })
    const parameters = yield* inBackend(async () => {
      await backend.checkRoom(
        planned.flatMap(({ own, original }) => original === undefined ? [own] : [own, original]),
        directory === "" ? "the model" : `the model in ${directory}`,
      )
      return planned.map(({ parameter, own, original }): ModelParameter => {
        const memory = { ...parameter, ...allocate(own) }
        return original === undefined ? memory : { ...memory, original: allocate(original) }
      })
    })
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
      encoded: [],
      notes,
      sites: sites.byModule,
    })
  })
}
