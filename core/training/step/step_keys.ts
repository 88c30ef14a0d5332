import type { RunData } from "../../backend/backend.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import { threefry2x32 } from "../../tensor/operations/threefry.ts"
import { secretName } from "./step_graphs.ts"
import { TrainingError } from "../training_error.ts"

/** Keys of random numbers, as inputs of the step's graphs. */
export interface StepKeys {
  /** Keys of the update of a step. */
  readonly update: (step: number) => RunData
  /** Key of dropout in a micro-batch. */
  readonly microBatch: (step: number, microBatch: number) => RunData
  /** Four words of 32 bits; undefined if no plugin needs a secret key. */
  readonly secret: () => ReadonlyArray<number> | undefined
  /** Replaces the secret key. Throws {@link TrainingError} if one is needed and `words` is not a key. */
  readonly restore: (words: ReadonlyArray<number> | undefined) => void
}

/** Purposes of keys. */
const DROPOUT = 1, TRANSFORM = 2
/** Micro-batches of a step with separate dropout masks. */
const MASKS = 4096

const keyData = (name: string, [key0, key1]: readonly [number, number]): RunData => ({
  [`${name}0`]: Int32Array.of(key0),
  [`${name}1`]: Int32Array.of(key1),
})

/** Derives keys from a seed, and draws a secret key from `crypto` if a plugin needs one. */
export function makeStepKeys(seed: number, contributions: ReadonlyArray<Contribution>): StepKeys {
  const secretive = contributions.filter(({ gradients }) => gradients?.secret).map(({ id }) => id)
  const wanted = secretive.length > 0
  let secret: ReadonlyArray<number> = wanted ? Array.from(crypto.getRandomValues(new Uint32Array(4))) : []
  const open = (name: string, purpose: number, counter: number) =>
    keyData(name, threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32), purpose, counter))
  return {
    update: (step) => {
      const [a, b, c, d] = secret
      const keys = secretive.map((id, i) => keyData(secretName(id), threefry2x32(a, b, ...threefry2x32(c, d, i, step))))
      return Object.assign(open("transform", TRANSFORM, step), ...keys)
    },
    microBatch: (step, microBatch) => open("dropout", DROPOUT, step * MASKS + microBatch),
    secret: () => wanted ? secret : undefined,
    restore: (words = []) => {
      if (!wanted) return
      if (words.length !== 4 || words.some((word) => word !== word >>> 0)) {
        throw new TrainingError({ reason: "Checkpoint", message: `there is no secret key for ${secretive.join(", ")}` })
      }
      secret = words
    },
  }
}
