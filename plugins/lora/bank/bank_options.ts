/** Default of {@link LoraBankOptions.slots}. */
export const SLOTS = 8

/** Options of a bank of LoRA adapters. */
export interface LoraBankOptions {
  /** Adapters that the backend's memory holds at once. Default 8. */
  readonly slots?: number
  /** The greatest rank of an adapter. Every row costs as much as this rank. Default 16. */
  readonly rank?: number
  /**
   * Which Linear modules adapters may change, by the rules of `targetModules`. An adapter may change fewer; every row costs
   * as much as all of these. Default: what is usual for the model's family.
   */
  readonly targets?: string | ReadonlyArray<string>
  /**
   * Whether adapters may be DoRA's, beside plain ones. Every row then needs the module's product apart from its bias, and
   * each slot one more number for every output. Default false.
   */
  readonly dora?: boolean
  /**
   * Names of the base model that an adapter's config may give (`base_model_name_or_path`); others are refused. Default: of a
   * model from a hub its name, of one from a folder any.
   */
  readonly base?: ReadonlyArray<string>
}
