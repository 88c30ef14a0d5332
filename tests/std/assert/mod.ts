/**
 * A stand-in for `jsr:@std/assert`, so that the tests run where jsr.io is out of reach: the functions that the tests
 * use, over `node:assert`. Remove the line in `links` of deno.json to run the same tests on the real one.
 * @module
 */
import { AssertionError, deepStrictEqual, notDeepStrictEqual } from "node:assert"

export { AssertionError }

// deno-lint-ignore no-explicit-any
type ErrorClass<E> = abstract new (...parameters: any[]) => E

/** Fails when `value` is falsy. */
export function assert(value: unknown, message: string = "Expected a truthy value"): asserts value {
  if (!value) throw new AssertionError({ message: `${message}: got ${String(value)}` })
}

/** Fails when `value` is null or undefined. */
export function assertExists<T>(value: T, message: string = "Expected a value"): asserts value is NonNullable<T> {
  if (value === null || value === undefined) throw new AssertionError({ message: `${message}: got ${value}` })
}

/** Fails unless the two are deeply equal and of the same types. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  try {
    deepStrictEqual(actual, expected)
  } catch (error) {
    if (message !== undefined && error instanceof Error) error.message = `${message}\n${error.message}`
    throw error
  }
}

/** Fails when the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  if (message === undefined) notDeepStrictEqual(actual, expected)
  else notDeepStrictEqual(actual, expected, message)
}

/** Fails unless the two differ by at most `tolerance` (by default 1e-7 of `expected`). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, message?: string): void {
  if (Object.is(actual, expected)) return
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7)
  const difference = Math.abs(expected - actual)
  if (difference <= allowed) return
  const text = `Expected ${actual} to be within ${allowed} of ${expected}, but it is ${difference} away`
  throw new AssertionError({ message: message === undefined ? text : `${message}: ${text}`, actual, expected })
}

/** Fails unless `actual` holds `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (actual.includes(expected)) return
  const text = `Expected text to hold "${expected}", but it is: "${actual}"`
  throw new AssertionError({ message: message === undefined ? text : `${message}: ${text}` })
}

/** Fails unless `run` throws (an instance of `errorClass`, with `includes` in its message), and gives the error. */
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
): E {
  try {
    run()
  } catch (error) {
    return checkError(error, errorClass, includes, message)
  }
  throw new AssertionError({ message: message ?? "Expected the function to throw" })
}

/** Fails unless the promise is rejected (with an instance of `errorClass`, with `includes` in its message). */
export async function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
): Promise<E> {
  try {
    await run()
  } catch (error) {
    return checkError(error, errorClass, includes, message)
  }
  throw new AssertionError({ message: message ?? "Expected the promise to be rejected" })
}

function checkError<E extends Error>(
  error: unknown,
  errorClass: ErrorClass<E> | undefined,
  includes: string | undefined,
  message: string | undefined,
): E {
  const prefix = message === undefined ? "" : `${message}: `
  if (!(error instanceof Error)) throw new AssertionError({ message: `${prefix}Expected an Error, got ${error}` })
  if (errorClass !== undefined && !(error instanceof errorClass)) {
    throw new AssertionError({ message: `${prefix}Expected ${errorClass.name}, got ${error.name}: ${error.message}` })
  }
  if (includes !== undefined && !error.message.includes(includes)) {
    throw new AssertionError({ message: `${prefix}Expected an error with "${includes}", got "${error.message}"` })
  }
  return error as E
}
