/**
 * Adapters beside a model, one for each row of a batch.
 * @module
 */
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { AdapterError } from "../../contracts/bank/adapter_error.ts"
import type { AdapterFiles } from "../../contracts/bank/bank_method.ts"
import type { Tensor } from "../../tensor/tensor.ts"
import type { SiteTable } from "./sites.ts"

/** An adapter in the host's memory, as rows hold it: it stays whole for them when its name is unloaded or replaced. */
export interface BankAdapter {
  /** Its name; empty for the model without an adapter. */
  readonly name: string
  /** Names of its head's classes, the first of the model's head; undefined where it uses the model's. */
  readonly labels?: ReadonlyArray<string>
}

/** Options of {@link AdapterBank.load}. */
export interface LoadAdapterOptions {
  /**
   * Names of the classes of the adapter's head. Default: the model's where they are as many, else `LABEL_0` and so on, as
   * transformers has it.
   */
  readonly labels?: ReadonlyArray<string>
  /**
   * Whether an adapter of this name gives way once the new one is read: rows that have it keep it to their end. Default
   * false: it is an error.
   */
  readonly replace?: boolean
}

/** Room in the bank's memory for the adapters of some rows, until it is released. */
export interface TakenSlots {
  /** The slot of each row's adapter: i32 [B], an input of the program that runs the rows. */
  readonly index: Int32Array
  /** Resolves when all of them are written. Rejects with a BackendError. */
  readonly written: Promise<void>
  /** Gives the room back. What was posted before runs with it. */
  readonly release: () => void
}

/** Adapters that are written into memory as rows ask for them, in the stead of those that were used longest ago. */
export interface AdapterBank {
  /** Adapters that the backend's memory holds at once. */
  readonly slots: number
  /** Whether every row must name an adapter. */
  readonly everyRow: boolean
  /** Names of the adapters that rows can have, in the order of loading. */
  readonly names: ReadonlyArray<string>
  /**
   * Reads an adapter of the bank's method into the host's memory, from a directory or from the contents of its files by
   * name. Where it fails, the bank is as it was. Gives what a person should know of it.
   */
  readonly load: (
    name: string,
    files: AdapterFiles,
    options?: LoadAdapterOptions,
  ) => Effect.Effect<ReadonlyArray<string>, AdapterError, FileSystem.FileSystem>
  /** Takes an adapter out. Rows that have it keep it to their end. */
  readonly unload: (name: string) => Effect.Effect<void, AdapterError>
  /** The adapter of a name; of an empty one the model without an adapter. Throws {@link AdapterError}. */
  readonly find: (name: string) => BankAdapter
  /** Room for the adapters of rows, all or none: undefined while other rows use too many slots. */
  readonly take: (adapters: ReadonlyArray<BankAdapter>) => TakenSlots | undefined
  /** Resolves when room is released. */
  readonly released: () => Promise<void>
  /** What the bank changes, by the path of the module. */
  readonly sites: SiteTable["byModule"]
  /** In a graph, a parameter of each row's adapter, [B, ...shape]; undefined for a key that is none of the bank's. */
  readonly parameter: (key: string, index: Tensor) => Tensor | undefined
}
