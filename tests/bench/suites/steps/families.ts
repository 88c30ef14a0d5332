/**
 * LoRA steps in the shapes of newer families beside PEFT, with the peak of memory: an encoder whose layers see windows, with
 * full rows and with rows of several lengths, which are packed here and padded there; a decoder whose weights stay in bf16
 * here, beside float32 and bf16 there. Where the machine multiplies bf16 numbers, beside autocast too.
 * @module
 */
import { familyCases, type LoraCase, loraDirectory, ourLoraStep, peftStep } from "../../lora.ts"
import { python } from "../../peers.ts"
import type { Bench, Suite } from "../../suite.ts"
import { besideWithPeaks } from "../../with_peaks.ts"

const suite = "families"

/** Options of ours, and of peers that compute in other numbers than float32. */
interface Sides {
  readonly ours: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

const measure = async (bench: Bench, one: LoraCase, { ours, others }: Sides): Promise<void> => {
  const directory = await loraDirectory(one)
  const apart = await Promise.all(others.map((option) => peftStep(directory, option)))
  const peers = [
    ...await peftStep(directory),
    ...apart.map(([asItIs]) => ({ ...asItIs, apart: true })),
  ]
  await besideWithPeaks(bench, { suite, name: one.name, tokens: one.tokens }, ourLoraStep(directory, ...ours), peers)
}

/** Suite `families`. */
export const families: Suite = {
  name: suite,
  most: 3,
  named: true,
  python: "needed",
  run: async (bench) => {
    const autocast = (await python()).bf16 ? ["--autocast"] : []
    const { full, lengths, decoder } = familyCases
    // What a program writes has 4 GiB.
    await measure(bench, full, { ours: ["--rows", "4"], others: autocast })
    await measure(bench, lengths, { ours: ["--rows", "8"], others: autocast })
    await measure(bench, decoder, { ours: [], others: ["--bf16", ...autocast] })
  },
}
