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

/** A case, with options of ours and of peers that compute in other numbers than float32. */
interface Sides {
  readonly one: LoraCase
  readonly ours: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

/** Ours beside one peer at a time: two of the peers' processes do not fit into 24 GB. */
const beside = async (bench: Bench, { one, ours }: Sides, option?: string): Promise<void> => {
  const directory = await loraDirectory(one)
  const [peer] = await peftStep(directory, ...option === undefined ? [] : [option])
  const event = { suite, name: one.name, tokens: one.tokens }
  await besideWithPeaks(bench, event, ourLoraStep(directory, ...ours), [{ ...peer, apart: option !== undefined }])
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
    const cases: ReadonlyArray<Sides> = [
      { one: full, ours: ["--rows", "4"], others: autocast },
      { one: lengths, ours: ["--rows", "8"], others: autocast },
      { one: decoder, ours: [], others: ["--bf16", ...autocast] },
    ]
    for (const sides of cases) await beside(bench, sides)
    for (const sides of cases) for (const option of sides.others) await beside(bench, sides, option)
  },
}
