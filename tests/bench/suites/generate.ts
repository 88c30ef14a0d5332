/**
 * Text of a Llama of SmolLM2-135M's shape, in bf16: several rows at once beside one; with `--before CHECKOUT`, prompts one
 * after the other beside an older checkout, which may compile for each.
 * @module
 */
import { resolve } from "node:path"
import { contest, type Contestant } from "../contest.ts"
import { deno } from "../peers.ts"
import { result } from "../result.ts"
import { writeSmolLM2 } from "../smollm2.ts"
import { type Bench, compare, type Suite } from "../suite.ts"

const suite = "generate"
const rows = (rows: string, model: string): Contestant => deno("Espalier", "ours/generate.ts", rows, model)
const PROMPTS = 20, SHORT = 16, LONG = 64
const tokensPerSecond = (tokens: number) => (milliseconds: number) => 1000 * tokens / milliseconds

/** Suite `generate`. */
export const generate: Suite = {
  name: suite,
  most: 3,
  python: "no",
  run: async (bench) => {
    const model = await Deno.makeTempDir()
    try {
      await writeSmolLM2(model)
      await (bench.before === undefined ? together(bench, model) : inTurn(bench, model, resolve(bench.before)))
    } finally {
      await Deno.remove(model, { recursive: true })
    }
  },
}

const together = (bench: Bench, model: string): Promise<void> => {
  const event = {
    suite,
    name: `8 rows at once, ${LONG} new tokens each`,
    backend: "wasm",
    unit: "tokens/s",
    steps: 2,
  } as const
  const peer = { ...rows("1x64", model), name: "Espalier, one row", apart: true }
  return compare(bench, { ...event, figure: tokensPerSecond(LONG) }, { ...rows("8", model), work: 8 }, [peer])
}

const inTurn = async (bench: Bench, model: string, checkout: string): Promise<void> => {
  const ours = rows("1", model)
  const { command: [program, run, ...args] } = ours
  const older = { ...ours, command: [program, run, "--config", `${checkout}/deno.json`, ...args, checkout] }
  const times = await contest([ours, older], { rounds: bench.rounds, steps: PROMPTS })
  const [own, peer] = times.map((time) => {
    if (time instanceof Error) throw time
    return tokensPerSecond(SHORT)(time)
  })
  const name = `${PROMPTS} prompts of 5 to 24 tokens, one after the other, ${SHORT} new tokens each`
  bench.take(
    result({ suite, name, backend: "wasm", unit: "tokens/s", ours: own, peer, peerName: "the checkout before" }),
  )
}
