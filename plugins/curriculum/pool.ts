import type { Json } from "../../core/contracts/batch_source.ts"
import type { Rng } from "../../core/tensor/operations/random.ts"
import type { Gate } from "./gate.ts"

/** Rows of a task, drawn without replacement until none that is allowed is left; then all are there again. */
export interface Pool {
  /** Draws rows with equal chances. */
  readonly draw: (count: number, competence: number, rng: Rng) => ReadonlyArray<number>
  /** The drawn rows. */
  readonly save: () => ReadonlyArray<number>
  /** Throws an Error if the value is not a state. */
  readonly restore: (state: Json | undefined) => void
}

export function makePool(rows: number, gate: Gate): Pool {
  const drawn = new Uint8Array(rows)
  const openRows = (isAllowed: (row: number) => boolean): Array<number> => {
    const open: Array<number> = []
    for (let row = 0; row < rows; row++) if (drawn[row] === 0 && isAllowed(row)) open.push(row)
    return open
  }
  return {
    draw: (count, competence, rng) => {
      const isAllowed = gate(competence)
      const taken: Array<number> = []
      let open = openRows(isAllowed)
      while (taken.length < count) {
        if (open.length === 0) {
          drawn.fill(0)
          open = openRows(isAllowed)
        }
        const at = rng.int(open.length)
        const row = open[at]
        open[at] = open[open.length - 1]
        open.pop()
        drawn[row] = 1
        taken.push(row)
      }
      return taken
    },
    save: () => Array.from(drawn.keys()).filter((row) => drawn[row] === 1),
    restore: (state) => {
      const isRow = (row: unknown) => Number.isInteger(row) && (row as number) >= 0 && (row as number) < rows
      if (!Array.isArray(state) || !state.every(isRow)) throw new Error(`it must be a list of rows below ${rows}`)
      drawn.fill(0)
      for (const row of state) drawn[row] = 1
    },
  }
}
