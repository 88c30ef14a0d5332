/**
 * Weighted averages of safetensors files, tensor by tensor.
 * @module
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { fileSystem } from "../../formats/files/file_system.ts"
import {
  checkNames,
  type FloatDType,
  openSafetensors,
  readTensor,
  type SafetensorsError,
  type TensorEntry,
  writeSafetensors,
} from "../../formats/safetensors/safetensors.ts"
import { isWithin } from "../../formats/files/path_within.ts"
import type { StorageError } from "../../formats/files/storage_error.ts"
import { isFloatDType } from "../../formats/safetensors/stored_dtype.ts"
import { sizeOf } from "../../tensor/shape.ts"
import { SoupError } from "./soup_error.ts"

/** Tensors in a file, and their part of the average. */
export interface WeightedTensors {
  /** Where they come from: for errors. */
  readonly path: string
  /** Their part; all parts sum to 1. */
  readonly weight: number
  /** The tensors, by the names that the average has. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
}

/** What {@link averageTensors} does beside averaging. */
export interface AverageOptions {
  /** Type in the file. Default: of each tensor the first source's. */
  readonly dtype?: FloatDType
  /**
   * How far a stored tensor may be from the average: the norm of the difference over the norm. Default: what rounding to
   * its type explains, 1e-5 for F32, 1e-3 for F16, 1e-2 for BF16.
   */
  readonly tolerance?: number
}

/** A tensor that was averaged. */
export interface AveragedTensor {
  /** Its name. */
  readonly tensor: string
  /** Distance of what the file holds from the average, relative to that. */
  readonly error: number
}

/** What an average wrote. */
export interface SoupReport {
  /** Every tensor, by name. */
  readonly tensors: ReadonlyArray<AveragedTensor>
  /** The one that is furthest off. */
  readonly worst: AveragedTensor
}

/** The report on averaged tensors. */
export function reportOf(tensors: ReadonlyArray<AveragedTensor>): SoupReport {
  return { tensors, worst: tensors.reduce((a, b) => b.error > a.error ? b : a) }
}

/** Fails where an average would be written over what it is made of. */
export function checkOutput(
  output: string,
  what: string,
  directories: ReadonlyArray<string>,
): Effect.Effect<void, SoupError> {
  if (output !== "" && !directories.some((directory) => isWithin(directory, output))) return Effect.void
  const message = `output must be a directory apart from the ${what}, which it would replace, got "${output}"`
  return Effect.fail(new SoupError({ reason: "Options", message }))
}

const ROUNDING: Readonly<Record<FloatDType, number>> = { F32: 1e-5, F16: 1e-3, BF16: 1e-2 }

/** The parts of an average: 1 / n each, or as given. Fails unless they are finite and sum to 1. */
export function partsOf(weights: ReadonlyArray<number | undefined>): Effect.Effect<ReadonlyArray<number>, SoupError> {
  const parts = weights.map((weight) => weight ?? 1 / weights.length)
  const sum = parts.reduce((a, b) => a + b, 0)
  if (parts.length > 0 && Math.abs(sum - 1) <= 1e-6) return Effect.succeed(parts)
  const message = parts.length === 0
    ? "a soup needs at least one ingredient, got none"
    : `the weights of an average must sum to 1; ${parts.join(" + ")} is ${sum}`
  return Effect.fail(new SoupError({ reason: "Options", message }))
}

/**
 * Writes the weighted average of tensors of the same names and shapes, one tensor in memory at a time. Then reads the file
 * again and compares it with its sources. Tables of integers, such as positions, are left out: they are no parameters.
 */
export function averageTensors(
  all: ReadonlyArray<WeightedTensors>,
  path: string,
  { dtype, tolerance }: AverageOptions = {},
): Effect.Effect<
  ReadonlyArray<AveragedTensor>,
  SoupError | SafetensorsError | StorageError,
  FileSystem.FileSystem
> {
  return Effect.gen(function* () {
    const fs = yield* fileSystem
    const sources = all.map(({ tensors, ...rest }) => ({
      ...rest,
      tensors: new Map([...tensors].filter(([, { dtype }]) => dtype !== "I64" && dtype !== "BOOL")),
    }))
    const [{ path: first, tensors: own }] = sources
    const expected = new Map([...own].map(([name, { shape }]) => [name, shape]))
    for (const { path: file, tensors } of sources.slice(1)) {
      yield* checkNames({ expected, found: tensors, file }).pipe(
        Effect.mapError(({ message }) =>
          new SoupError({ reason: "Mismatch", message: `${message}\n(the model is "${first}")` })
        ),
      )
    }
    const quantized = sources.flatMap(({ path, tensors }) => [...tensors.values()].map((entry) => ({ path, ...entry })))
      .find(({ dtype }) => !isFloatDType(dtype))
    if (quantized !== undefined) {
      const { name: tensor, dtype, path } = quantized
      const message = `"${path}": tensor "${tensor}" is ${dtype}; only F32, F16 and BF16 have an average`
      return yield* new SoupError({ reason: "Mismatch", tensor, message })
    }
    /** Adds factor times the average to a tensor's elements. */
    const add = (name: string, factor: number, into: Float32Array) =>
      Effect.forEach(sources, ({ tensors, weight }) =>
        readTensor(tensors.get(name)!, (piece, offset) => {
          const part = factor * weight
          for (let i = 0; i < piece.length; i++) into[offset + i] += part * piece[i]
        }), { discard: true })
    const typeOf = (name: string) => dtype ?? own.get(name)!.dtype as FloatDType
    const layouts = [...expected].map(([name, shape]) => {
      const read = () => {
        const sum = new Float32Array(sizeOf(shape))
        return Effect.runPromise(
          add(name, 1, sum).pipe(Effect.as(sum), Effect.provideService(fileSystem, fs)),
        )
      }
      return { name, shape, dtype: typeOf(name), read }
    })
    yield* writeSafetensors(path, layouts, { format: "pt" }).pipe(
      Effect.catchIf(
        (error) => error.reason === "Dtype",
        ({ message }) =>
          new SoupError({ reason: "Inexact", message: `${message}, or store it as F32. Nothing was written` }),
      ),
    )
    const written = yield* openSafetensors(path)
    const averaged: AveragedTensor[] = []
    for (const [tensor, entry] of written.tensors) {
      const stored = new Float32Array(sizeOf(entry.shape))
      yield* readTensor(entry, (piece, offset) => stored.set(piece, offset))
      const norm = lengthOf(stored)
      yield* add(tensor, -1, stored)
      const distance = lengthOf(stored)
      const error = distance === 0 ? 0 : distance / norm
      const most = tolerance ?? ROUNDING[typeOf(tensor)]
      if (!(error <= most)) {
        const message =
          `"${tensor}": as ${typeOf(tensor)} it is ${error.toPrecision(3)} off the average, relative to its ` +
          `norm; the tolerance is ${most}: store it as F32, or take other weights. Nothing was written`
        return yield* new SoupError({ reason: "Inexact", tensor, message })
      }
      averaged.push({ tensor, error })
    }
    return averaged
  })
}

function lengthOf(data: Float32Array): number {
  let sum = 0
  for (let i = 0; i < data.length; i++) sum += data[i] * data[i]
  return Math.sqrt(sum)
}
