/**
 * The encodings that options name.
 * @module
 */
import type { AffineEncoding, BlockEncoding } from "../../kernels/encoding.ts"
import { grouped, type GroupedOptions } from "../../kernels/encodings/grouped.ts"
import { nf4, type NF4Options } from "../../kernels/encodings/nf4.ts"
import { Q4_0 } from "../../kernels/encodings/q4_0.ts"
import { Q4_1 } from "../../kernels/encodings/q4_1.ts"
import { Q8_0 } from "../../kernels/encodings/q8_0.ts"

/** Options that formats read. */
export interface FormatOptions extends GroupedOptions, Required<NF4Options> {}

/** A format that options name. */
interface QuantizationFormat {
  /** Options that it reads. */
  readonly options: ReadonlyArray<keyof FormatOptions>
  readonly encoding: (options: FormatOptions) => BlockEncoding
}

/** Names of formats. */
export type FormatName = "nf4" | "grouped" | "q4_0" | "q4_1" | "q8_0"

/** Formats by name. */
export const FORMATS: Readonly<Record<FormatName, QuantizationFormat>> = {
  nf4: { options: ["blockSize", "doubleQuantization"], encoding: nf4 },
  grouped: { options: ["bits", "groupSize"], encoding: grouped },
  q4_0: { options: [], encoding: () => Q4_0 },
  q4_1: { options: [], encoding: () => Q4_1 },
  q8_0: { options: [], encoding: () => Q8_0 },
}

/** Formats whose numbers are scale * q + offset, by group. */
export type GroupFormat = "grouped" | "q4_1" | AffineEncoding
