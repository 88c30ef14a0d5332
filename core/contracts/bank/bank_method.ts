/**
 * What a method says of its adapters in a bank: many in memory at once, one for each row of a batch.
 * @module
 */
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { ArtifactContext, ArtifactFiles, BaseParameters, NamedValues } from "../contribution.ts"
import type { Parameter } from "../parameter.ts"
import type { PluginError } from "../plugin_error.ts"
import type { Site } from "../site.ts"

/** An adapter where it was saved: a directory, or the contents of its files by name. */
export type AdapterFiles = string | ArtifactFiles

/** What a method knows of the bank's model when it reads an adapter: its weights, too. */
export interface BankContext extends ArtifactContext, BaseParameters {
  /** Keys of tied weights, each with that of the weight that it is. */
  readonly tied: Readonly<Record<string, string>>
}

/** What an adapter's files hold, for a bank. */
export interface BankValues {
  /**
   * Values of the bank's parameters, filled up to their shapes. Those that are left out are as for rows without an adapter.
   */
  readonly values: ReadonlyArray<NamedValues>
  /** Number of classes of the adapter's own head, where it has one. The others of the model's head are not its own. */
  readonly classes?: number
  /** What a person should know of it. Default: nothing. */
  readonly notes?: ReadonlyArray<string>
}

/** A method's bank. Programs are compiled once, for the largest adapters that it takes; a new adapter costs a copy. */
export interface BankMethod {
  /** Name of the method, also in errors and in the keys of the bank's parameters. */
  readonly id: string
  /** Adapters that the backend's memory holds at once. Others lie in the host's memory. */
  readonly slots: number
  /**
   * Changes to a model, at the greatest sizes that an adapter may have. In their functions a parameter is that of each row's
   * adapter, [B, ...shape]. Of rows without an adapter it is zero; where a site stands in for a module, it is the module's
   * parameter of that name. Fails on options that make no sense, and where none fits the model.
   */
  readonly sites: (model: BankContext) => Effect.Effect<ReadonlyArray<Site>, PluginError>
  /** Whether every row must name an adapter: no values leave a row as it is. Default false. */
  readonly everyRow?: boolean
  /**
   * Reads an adapter. Fails, with an `AdapterError` where it can say what kind of failure it is, before anything of the bank
   * changes.
   *
   * @param wanted The bank's parameters.
   */
  readonly read: (
    name: string,
    files: AdapterFiles,
    wanted: ReadonlyArray<Parameter>,
    model: BankContext,
  ) => Effect.Effect<BankValues, Error, FileSystem.FileSystem>
}
