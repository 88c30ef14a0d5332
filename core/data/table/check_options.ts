import { type OptionNames, unknownOption } from "../../options/unknown_option.ts"
import { DataError } from "../data_error.ts"

/** Throws a {@link DataError} (`BadInput`) where options are no object, or one has another name. */
export function checkOptions<Options extends object>(options: Options, names: OptionNames<Options>): void {
  const message = unknownOption(options, names)
  if (message !== undefined) throw new DataError({ reason: "BadInput", message })
}
