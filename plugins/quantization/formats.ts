/**
 * The encodings that options name.
 * @module
 */
import { type AffineEncoding, grouped, type GroupedOptions } from "../../kernels/encodings/grouped.ts"
import { nf4, type NF4Options } from "../../kernels/encodings/nf4.ts"
import type { BlockEncoding } from "../../kernels/encoding.ts"

/** Options that formats read. */
export interface FormatOptions extends GroupedOptions, Required<NF4Options> {}

/** A format that options name. */
interface QuantizationFormat {
  /** Options that it reads. */
  readonly options: ReadonlyArray<keyof FormatOptions>
  readonly encoding: (options: FormatOptions) => BlockEncoding
}

/** Encodings by the name of the format. */
export const FORMATS = {
  nf4: { options: ["blockSize", "doubleQuantization"], encoding: nf4 },
  grouped: { options: ["bits", "groupSize"], encoding: grouped },
} as const satisfies Readonly<Record<string, QuantizationFormat>>

/** Names of formats. */
export type FormatName = keyof typeof FORMATS

/** Formats whose numbers are scale * q + offset, by group. */
export type GroupFormat = "grouped" | AffineEncoding
