/**
 * The suite as a page's script: its files are fetched into memory. The driver calls `runSuite`.
 * @module
 */
import { suite, type SuiteOutcome, type SuitePlace } from "./suite.ts"

/** Runs the suite in the page. */
async function runSuite(
  names: ReadonlyArray<string>,
  place: SuitePlace,
): Promise<SuiteOutcome & { readonly saved: ReadonlyArray<string> }> {
  const files = new Map<string, Uint8Array>()
  for (const name of names) {
    const response = await fetch(`/${name}`)
    if (!response.ok) throw new Error(`${name}: ${response.status}`)
    files.set(name, new Uint8Array(await response.arrayBuffer()))
  }
  const outcome = await suite({ ...place, files })
  return { ...outcome, saved: [...files.keys()].filter((name) => !names.includes(name)) }
}

Object.assign(globalThis, { runSuite })
