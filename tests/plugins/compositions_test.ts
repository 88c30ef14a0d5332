/**
 * Random compositions of all plugins: each trains three steps, saves, loads and agrees, to the bit and in any order of its
 * layers, or is refused before training.
 * @module
 */
import { assert, assertEquals } from "@std/assert"
import { makeRng } from "../../core/tensor/operations/random.ts"
import { withBackend } from "../core/backend/wasm/with_backend.ts"
import { type Composition, draw } from "./compositions/draw.ts"
import { makeBases, reload, train } from "./compositions/run.ts"
import { inDirectory } from "./files.ts"

const SEED = Number(Deno.args[0] ?? 20261130)
const CASES = Number(Deno.args[1] ?? 100)

Deno.test(`${CASES} random compositions train, save and load, in any order of their layers, or are refused`, (t) =>
  withBackend({ threads: 1 }, (backend) =>
    inDirectory(async (bases) => {
      await makeBases(backend, bases)
      for (let seed = SEED; seed < SEED + CASES; seed++) {
        const composition = draw(makeRng(seed))
        try {
          const said = await check(composition, seed)
          if (Deno.args[2]) console.log(seed, said)
        } catch (error) {
          console.log(`seed ${seed}: ${JSON.stringify(composition)}\n${(error as Error).stack}`)
        }
      }
      async function check(composition: Composition, seed: number) {
        const { parts } = composition
        const rng = makeRng(seed, 1)
        return await inDirectory(async (folder) => {
          const at = (name: string) => ({ backend, bases, folder: `${folder}/${name}` })
          const first = await train(composition, parts, at("first"))
          const other = await train(composition, rng.shuffle(parts).toReversed(), at("other"))
          if ("refused" in first) {
            assert("refused" in other)
            assert(/^(Plugin|Training|Model|Data)Error: /.test(first.refused), first.refused)
            assertEquals([first.steps, other.refused, other.steps], [0, first.refused, 0])
            return first.refused
          }
          assert(!("refused" in other), JSON.stringify(other))
          assertEquals(first.losses.length, 3)
          assertEquals(other, first)
          const loaded = await reload(composition, rng.shuffle(parts), at("first"))
          assert(!("refused" in loaded), JSON.stringify(loaded))
          assertEquals(loaded.judged, first.judged)
          return "ok"
        })
      }
    })))
