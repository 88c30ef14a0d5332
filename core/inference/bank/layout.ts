/**
 * Where a bank's parameters lie: in a few pages [slots, numbers of an adapter], so that an adapter is few copies.
 * @module
 */
import type { Parameter } from "../../contracts/parameter.ts"
import { sizeOf } from "../../tensor/shape.ts"

/** Most bytes of a page with several parameters: what every GPU binds at once is twice as large. */
const PAGE_BYTES = 64 * 2 ** 20

/** Where a parameter of one adapter lies. */
export interface Place {
  readonly parameter: Parameter
  readonly page: number
  /** First number, in the adapter's part of the page. */
  readonly offset: number
}

/** A bank's pages. */
export interface BankLayout {
  /** Numbers of one adapter in each page. */
  readonly widths: ReadonlyArray<number>
  /** Places by the parameters' keys. */
  readonly places: ReadonlyMap<string, Place>
}

/** Pages for so many adapters. */
export function layoutOf(parameters: ReadonlyArray<Parameter>, adapters: number): BankLayout {
  const most = Math.floor(PAGE_BYTES / 4 / adapters)
  const widths: Array<number> = []
  const places = parameters.map((parameter) => {
    const size = sizeOf(parameter.shape)
    if (widths.length === 0 || widths.at(-1)! + size > most) widths.push(0)
    const page = widths.length - 1
    const offset = widths[page]
    widths[page] += size
    return [parameter.key, { parameter, page, offset }] as const
  })
  return { widths, places: new Map(places) }
}
