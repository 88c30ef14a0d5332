import type { RunData } from "../../backend/backend.ts"
import type { Contribution } from "../../contracts/contribution.ts"
import { threefry2x32 } from "../../tensor/operations/threefry.ts"
import { secretName } from "./step_graphs.ts"
import { TrainingError } from "../training_error.ts"

/** Keys of 256 bits by plugin id: eight words of 32 bits each. */
export type SecretKeys = Readonly<Record<string, ReadonlyArray<number>>>

/** Keys of random numbers, as inputs of the step's graphs. */
export interface StepKeys {
  /** Keys of the update of a step. */
  readonly update: (step: number) => RunData
  /** Key of dropout in a micro-batch. */
  readonly microBatch: (step: number, microBatch: number) => RunData
  /** Secret keys by plugin id; undefined if no plugin asks for one. */
  readonly secrets: () => SecretKeys | undefined
  /** Replaces the secret keys. Throws {@link TrainingError} if one is missing or not a key. */
  readonly restore: (keys: SecretKeys | undefined) => void
}

/** Purposes of keys. */
const DROPOUT = 1, TRANSFORM = 2
/** Words of a secret key. */
const SECRET_WORDS = 8
/** Micro-batches of a step with separate dropout masks. */
const MASKS = 4096

const keyData = (name: string, [key0, key1]: readonly [number, number]): RunData => ({
  [`${name}0`]: Int32Array.of(key0),
  [`${name}1`]: Int32Array.of(key1),
})

const isSecret = (key: ReadonlyArray<number> | undefined) =>
  Array.isArray(key) && key.length === SECRET_WORDS && key.every((word) => word === word >>> 0)

/** Derives keys from a seed, and draws a secret key from `crypto` for each plugin that asks for one. */
export function makeStepKeys(seed: number, contributions: ReadonlyArray<Contribution>): StepKeys {
  const secretive = contributions.filter(({ gradients }) => gradients?.secret).map(({ id }) => id)
  const draw = () => Array.from(crypto.getRandomValues(new Uint32Array(SECRET_WORDS)))
  let secrets: SecretKeys = Object.fromEntries(secretive.map((id) => [id, draw()]))
  const open = (name: string, purpose: number, counter: number) =>
    keyData(name, threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32), purpose, counter))
  return {
    update: (step) => ({
      ...open("transform", TRANSFORM, step),
      ...Object.fromEntries(Object.entries(secrets).map(([id, key]) => [secretName(id), Int32Array.from(key)])),
    }),
    microBatch: (step, microBatch) => open("dropout", DROPOUT, step * MASKS + microBatch),
    secrets: () => secretive.length === 0 ? undefined : secrets,
    restore: (keys = {}) => {
      const without = secretive.filter((id) => !isSecret(keys[id]))
      if (without.length > 0) {
        throw new TrainingError({ reason: "Checkpoint", message: `there is no secret key for ${without.join(", ")}` })
      }
      secrets = Object.fromEntries(secretive.map((id) => [id, keys[id]]))
    },
  }
}
