/**
 * A prompt for each task, P (*) (C_t R_t): rows P that all tasks share, times a matrix of low rank for the task (Wang et
 * al. 2023, equation 1; of any rank, as in PEFT).
 * @module
 */
import type { Initializer, ParameterSpec } from "../../core/contracts/parameter.ts"
import type { Site, SitePlan } from "../../core/contracts/site.ts"
import * as ops from "../../core/tensor/ops.ts"
import type { ResolvedOptions } from "./options.ts"
import { COLUMNS, EMBEDDING, nameOf, ROWS } from "./tensors.ts"

/** As PEFT has it. */
const FACTOR: Initializer = { kind: "normal", std: 0.02 }

/** Tasks of a prompt: all in the order of their ids, and those that the model has. */
export interface PromptTasks {
  /** By PEFT's id. */
  readonly names: ReadonlyArray<string>
  /** Those of the model. */
  readonly own: ReadonlyArray<string>
  /** Whether the model has them by name. */
  readonly named: boolean
}

export function sitesOf(options: ResolvedOptions, tasks: PromptTasks): ReadonlyArray<Site> {
  return [{ select: ({ kind }) => kind === "Backbone", plan: ({ sizes }) => planAt(options, tasks, sizes.hiddenSize) }]
}

function planAt(options: ResolvedOptions, { names, own, named }: PromptTasks, width: number): SitePlan {
  const { numVirtualTokens, numRanks } = options
  const factor = (task: string, shape: ParameterSpec["shape"]): ParameterSpec => ({
    shape,
    initializer: FACTOR,
    ...(own.includes(task) ? named ? { tasks: [task] } : {} : { trainable: false }),
  })
  const factors = names.flatMap((task) => [
    [nameOf(COLUMNS, task), factor(task, [numVirtualTokens, numRanks])],
    [nameOf(ROWS, task), factor(task, [numRanks, width])],
  ])
  return {
    place: "input-prefix",
    length: numVirtualTokens,
    // What comes from elsewhere is written once the weights are there.
    parameters: {
      [EMBEDDING]: { shape: [numVirtualTokens, width], initializer: { kind: "normal", std: 1 } },
      ...Object.fromEntries(factors),
    },
    forward: ({ parameter, task }) => {
      const own = ops.matmul(parameter(nameOf(COLUMNS, task)), parameter(nameOf(ROWS, task)))
      return ops.mul(parameter(EMBEDDING), own)
    },
  }
}
