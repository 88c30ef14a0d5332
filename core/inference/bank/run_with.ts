import type { AdapterBank, BankAdapter } from "../../model/sites/adapter_bank.ts"

/** Posts a run of rows once there is room for their adapters. */
export async function runWith<A>(
  bank: AdapterBank,
  adapters: ReadonlyArray<BankAdapter>,
  post: (index: Int32Array) => Promise<A>,
): Promise<A> {
  for (;;) {
    const taken = bank.take(adapters)
    if (taken === undefined) {
      await bank.released()
      continue
    }
    // Runs follow the writes that were posted before them, and the next ones follow these.
    const posted = post(taken.index)
    taken.release()
    return (await Promise.all([posted, taken.written]))[0]
  }
}
