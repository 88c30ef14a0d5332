/**
 * Text of a Llama of SmolLM2-135M's shape: several rows at once beside one; with `--before CHECKOUT`, prompts one after the
 * other beside an older checkout, which may compile for each.
 * @module
 */
import { resolve } from "node:path"
import { contest, type Contestant } from "../contest.ts"
import { deno } from "../peers.ts"
import { result } from "../result.ts"
import { compare, type Suite } from "../suite.ts"

const suite = "generate"
const rows = (rows: string): Contestant => deno("Espalier", "ours/generate.ts", rows)
const PROMPTS = 20, SHORT = 16, LONG = 64
const tokensPerSecond = (tokens: number) => (milliseconds: number) => 1000 * tokens / milliseconds

/** Suite `generate`. */
export const generate: Suite = {
  name: suite,
  most: 3,
  python: "no",
  run: async (bench) => {
    if (bench.before === undefined) {
      const event = {
        suite,
        name: `8 rows at once, ${LONG} new tokens each`,
        backend: "wasm",
        unit: "tokens/s",
        steps: 2,
      }
      const peer = { ...rows("1x64"), name: "Espalier, one row", apart: true }
      return await compare(bench, { ...event, figure: tokensPerSecond(LONG) }, { ...rows("8"), work: 8 }, [peer])
    }
    const checkout = resolve(bench.before)
    const { command: [program, run, ...args], ...ours } = rows("1")
    const older = { ...ours, command: [program, run, "--config", `${checkout}/deno.json`, ...args, checkout] }
    const times = await contest([{ ...ours, command: [program, run, ...args] }, older], {
      rounds: bench.rounds,
      steps: PROMPTS,
    })
    const [own, peer] = times.map((time) => {
      if (time instanceof Error) throw time
      return tokensPerSecond(SHORT)(time)
    })
    const name = `${PROMPTS} prompts of 5 to 24 tokens, one after the other, ${SHORT} new tokens each`
    bench.take(
      result({ suite, name, backend: "wasm", unit: "tokens/s", ours: own, peer, peerName: "the checkout before" }),
    )
  },
}
