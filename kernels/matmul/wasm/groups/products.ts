import type { BlockProducts } from "../../../encoding.ts"
import { fewRows, limitsOf } from "./few_rows.ts"
import type { Groups } from "./groups.ts"
import { packDeep, packWide } from "./pack.ts"

/**
 * Products with an encoding whose blocks fall into groups.
 *
 * @param name The encoding's.
 */
export const productsInGroups = (name: string, groups: Groups): BlockProducts => ({
  ...limitsOf(groups),
  dot: (writing, tile) => fewRows(writing, tile, name, groups),
  packDeep: (writing, columns) => packDeep(writing, columns, name, groups),
  packWide: (writing) => packWide(writing, name, groups),
})
