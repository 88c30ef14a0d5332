import type { BackendService, Slot } from "../../backend/backend.ts"
import type { StateSpec } from "../../contracts/gradient_transform.ts"
import type { Initializer } from "../../contracts/parameter.ts"
import { initialValues } from "../../model/initial_values.ts"
import { measureKey, type StateSlots, type StepSettings, type TaskSums, transformKey } from "./step_graphs.ts"

/** A slot with its name in checkpoints. */
export interface NamedSlot {
  readonly name: string
  readonly slot: Slot
}

/** Memory of a session besides the model's. */
export interface StepSlots {
  /** State of the optimizer and of gradient transforms. */
  readonly state: StateSlots
  /** The same slots by name. */
  readonly named: ReadonlyArray<NamedSlot>
  /** Sums of each task, zero between steps. The first call allocates them. */
  readonly sums: () => ReadonlyMap<string, TaskSums>
  /** Writes initial values of states other than zeros. */
  readonly initialize: (seed: number) => Promise<void>
  readonly dispose: () => void
}

/** Allocates the slots of a session. */
export function makeStepSlots(
  backend: BackendService,
  { trained, contributions, optimizer }: StepSettings,
  tasks: ReadonlyArray<string>,
): StepSlots {
  const allocated: Slot[] = []
  const named: NamedSlot[] = []
  const allocate = (name: string, shape: ReadonlyArray<number>) => {
    const slot = backend.allocate(name, shape)
    allocated.push(slot)
    return slot
  }
  const starting: Array<NamedSlot & { readonly initializer: Initializer }> = []
  const keep = (prefix: string, spec: StateSpec) =>
    Object.fromEntries(
      Object.entries(spec).map(([own, { shape, initializer }]) => {
        const name = `${prefix}/${own}`
        const slot = allocate(name, shape)
        named.push({ name, slot })
        if (initializer !== undefined) starting.push({ name, slot, initializer })
        return [own, slot]
      }),
    )
  const state: StateSlots = {
    optimizer: new Map(trained.map(({ key, shape }) => [key, keep(`optimizer/${key}`, optimizer.state(shape))])),
    transforms: new Map(
      contributions.flatMap(({ id, gradients }) =>
        (["task", "total"] as const).map((stage) => {
          const key = transformKey(id, stage)
          return [key, keep(`transform/${key}`, gradients?.[stage]?.init?.(trained) ?? {})] as const
        })
      ),
    ),
  }
  let sums: ReadonlyMap<string, TaskSums> | undefined
  return {
    state,
    named,
    sums: () =>
      sums ??= new Map(tasks.map((task) => [task, {
        gradients: new Map(trained.map(({ key, shape }) => [key, allocate(`sum/${task}/${key}`, shape)])),
        loss: allocate(`sum/${task}/loss`, []),
        weight: allocate(`sum/${task}/weight`, []),
        measures: new Map(
          contributions.flatMap(({ id, gradients }) => gradients?.measures?.map((name) => measureKey(id, name)) ?? [])
            .map((key) => [key, allocate(`sum/${task}/measure/${key}`, [])]),
        ),
      }])),
    initialize: async (seed) => {
      for (const { name, slot, initializer } of starting) {
        await backend.write(slot, initialValues({ shape: slot.shape, initializer }, seed, name))
      }
    },
    dispose: () => allocated.forEach(backend.free),
  }
}
