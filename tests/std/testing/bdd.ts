/**
 * A stand-in for `jsr:@std/testing/bdd` (see `../assert/mod.ts`): `describe` and `it` over `Deno.test`, without hooks.
 * @module
 */
const names: Array<string> = []

/** Groups the tests that `body` registers under `name`. */
export function describe(name: string, body: () => void): void {
  names.push(name)
  try {
    body()
  } finally {
    names.pop()
  }
}

/** Registers one test. */
export function it(name: string, body: () => void | Promise<void>): void {
  Deno.test([...names, name].join(" > "), body)
}
