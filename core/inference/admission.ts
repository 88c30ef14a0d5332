/**
 * Rows of an engine are admitted: each gets a row of the cache and a slot for its adapter, or waits for them.
 * @module
 */
import type { AdapterBank, BankAdapter, TakenSlots } from "../model/sites/adapter_bank.ts"
import type { Decoder } from "./decoder/decoder.ts"
import { commonTokens, type Prompt } from "./decoder/read_prompts.ts"

/** A row that has arrived: it waits, or has been admitted. */
export interface Arrival extends Omit<Prompt, "slot" | "adapter"> {
  /** Ids rise in the order of arrival. */
  readonly id: number
  readonly source: BankAdapter
  /** The slot of its adapter; undefined while it waits. */
  taken?: TakenSlots
  /** Its row of the cache; undefined while it waits. */
  slot?: number
}

/** A row that has a row of the cache. */
export type Admitted = Arrival & Prompt & { readonly taken: TakenSlots }

/** Whether a row has a row of the cache. */
export const isAdmitted = <Row extends Arrival>(row: Row): row is Row & Admitted => row.slot !== undefined

/** Gives out rows of the cache and slots for adapters. */
export interface Admission {
  /**
   * Gives a waiting row one of the cache that is free, the one that was given away first, and a slot for its adapter. What
   * that one had read of a prompt that begins alike is read already. False where it has to wait on.
   */
  readonly admit: (row: Arrival) => boolean
  /** Waits for the adapters of rows; those whose adapter could not be written wait again. */
  readonly written: (rows: ReadonlyArray<Admitted>) => Promise<void>
  /** The last row that each row of the cache was given to: what it read is still there. */
  readonly held: () => ReadonlyArray<Admitted>
  /** Nothing of what was read is kept for later rows. */
  readonly forget: () => void
  /** Takes a row's slot back at the next release: a step may still run with it. */
  readonly dismiss: (row: Arrival) => void
  /** Gives back what was taken. */
  readonly release: () => void
}

/** Options of an admission. */
export interface AdmissionOptions {
  /** Most rows of the cache. */
  readonly most: number
  /** Whether the row of this id has not left. */
  readonly isHere: (id: number) => boolean
}

/** An admission that has given out nothing. */
export function makeAdmission(
  decoder: Pick<Decoder, "rows" | "sharable">,
  bank: Pick<AdapterBank, "take">,
  { most, isHere }: AdmissionOptions,
): Admission {
  /** The last row that each row of the cache was given to. */
  const held: Array<Admitted | undefined> = []
  /** What rows leave that went during a step, which may still run with it. */
  const leaving: Array<() => void> = []
  return {
    admit: (row) => {
      const isFree = (slot: number) => !isHere(held[slot]?.id ?? -1)
      const free = Array.from({ length: most }, (_, slot) => slot).filter(isFree)
      const within = free.filter((slot) => slot < decoder.rows())
      const [slot] = (within.length > 0 ? within : free).sort((a, b) => (held[a]?.id ?? -1) - (held[b]?.id ?? -1))
      const taken = slot === undefined ? undefined : bank.take([row.source])
      if (taken === undefined) return false
      const before = held[slot], admitted = Object.assign(row, { slot, taken, adapter: taken.index[0] })
      if (before !== undefined && decoder.sharable) row.read = commonTokens(admitted, before, before.read)
      held[slot] = admitted
      return true
    },
    written: async (rows) => {
      for (const row of rows) {
        try {
          await row.taken.written
        } catch (error) {
          leaving.push(row.taken.release)
          delete held[row.slot]
          Object.assign(row, { slot: undefined, taken: undefined, read: 0 })
          throw error
        }
      }
    },
    held: () => held.filter((row) => row !== undefined),
    forget: () => void (held.length = 0),
    dismiss: ({ taken }) => {
      if (taken !== undefined) leaving.push(taken.release)
    },
    release: () => leaving.splice(0).forEach((one) => one()),
  }
}
