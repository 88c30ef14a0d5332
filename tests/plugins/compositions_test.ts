/**
 * Random compositions of all plugins: each trains three steps, saves, loads and agrees, to the bit and in any order of its
 * layers, or is refused before training. Arguments: how many, and the first seed.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import type { BackendService } from "../../core/backend/backend.ts"
import { makeRng } from "../../core/tensor/operations/random.ts"
import { withBackend } from "../core/backend/wasm/with_backend.ts"
import { type Composition, draw } from "./compositions/draw.ts"
import { makeBases, reload, train } from "./compositions/run.ts"
import { inDirectory } from "./files.ts"

const CASES = Number(Deno.args[0] ?? 20)
const SEED = Number(Deno.args[1] ?? 20261130)

/** Whether no run can be right. */
function mustBeRefused({ tasks, parts, training }: Composition): boolean {
  const has = (name: string) => parts.some(({ plugin }) => plugin === name)
  const mixes = parts.some(({ plugin, options }) => plugin === "multitask" && options.mixing !== "none")
  return (has("privacy") && (has("curriculum") || mixes || training.packing === true)) ||
    (has("distill") && tasks.some((name) => name === "size" || name === "marks")) ||
    (training.packing === true && tasks.some((name) => name !== "text"))
}

/** True where it trains. */
function check(composition: Composition, seed: number, backend: BackendService, bases: string): Promise<boolean> {
  const { parts } = composition
  const rng = makeRng(seed, 1)
  return inDirectory(async (folder) => {
    const at = (name: string) => ({ backend, bases, folder: `${folder}/${name}` })
    const first = await train(composition, parts, at("first"))
    const other = await train(composition, rng.shuffle(parts), at("other"))
    if ("refused" in first) {
      assert("refused" in other)
      assert(/^(Plugin|Training|Model|Data)Error: /.test(first.refused), first.refused)
      assertEquals([first.steps, other.refused, other.steps], [0, first.refused, 0])
      return false
    }
    assert(!mustBeRefused(composition), "it trained")
    assert(!("refused" in other), JSON.stringify(other))
    assertEquals(first.losses.length, 3)
    assertEquals(other, first)
    const loaded = await reload(composition, rng.shuffle(parts), at("first"))
    assert(!("refused" in loaded), JSON.stringify(loaded))
    assertEquals(loaded.judged, first.judged)
    return true
  })
}

Deno.test(`${CASES} random compositions train, save and load, in any order of their layers, or are refused`, () =>
  withBackend({ threads: 1 }, (backend) =>
    inDirectory(async (bases) => {
      await makeBases(backend, bases)
      let trained = 0
      for (let seed = SEED; seed < SEED + CASES; seed++) {
        const composition = draw(makeRng(seed))
        try {
          if (await check(composition, seed, backend, bases)) trained++
        } catch (error) {
          throw new Error(`seed ${seed}: ${JSON.stringify(composition)}\n${(error as Error).message}`, { cause: error })
        }
      }
      assert(CASES < 10 || trained > CASES / 3, `only ${trained} train`)
    })))
