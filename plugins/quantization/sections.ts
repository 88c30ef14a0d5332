import type { EncodedWeight } from "../../core/model/model.ts"

/** A section of a report. */
export interface QuantizedSection {
  /** Its heading. */
  readonly title: string
  /** Sums, and what the errors are. */
  readonly text: string
  /** A row for each weight. */
  readonly table: { readonly head: ReadonlyArray<string>; readonly rows: ReadonlyArray<ReadonlyArray<string>> }
}

/** What was quantized while a model was loaded, and what that lost, as a table for a report; nothing where nothing was. */
export function sections(
  { encoded }: { readonly encoded: ReadonlyArray<EncodedWeight> },
): ReadonlyArray<QuantizedSection> {
  if (encoded.length === 0) return []
  const bits = encoded.reduce((sum, { bits, elements }) => sum + bits * elements, 0)
  const elements = encoded.reduce((sum, one) => sum + one.elements, 0)
  return [{
    title: "Quantized weights",
    text: `${encoded.length} weights of ${elements} numbers, ${(bits / elements).toFixed(2)} bits each in memory. ` +
      "Relative error: length of the error over length of the weight.",
    table: {
      head: ["weight", "kept in", "bits", "relative error", "mean absolute error"],
      rows: encoded.map(({ key, encoding, bits, relativeError, meanAbsoluteError }) => [
        key,
        encoding,
        bits.toFixed(2),
        relativeError.toPrecision(3),
        meanAbsoluteError.toPrecision(3),
      ]),
    },
  }]
}
