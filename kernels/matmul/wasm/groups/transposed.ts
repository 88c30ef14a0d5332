import { type Code, type FunctionScope, get, set, v128 } from "../../../wasm/assembler.ts"
import type { Four } from "./groups.ts"

/** Transposes the vectors of four locals: stores, by number of the lane that they are made of. */
export const transposed = (
  f: FunctionScope,
  rows: ReadonlyArray<number>,
  store: (lane: number, four: Code) => Code,
): Code => {
  const halves = rows.map(() => f.local("v128"))
  return [
    [[0, 2, 0], [1, 3, 0], [0, 2, 2], [1, 3, 2]].map(([x, y, lane], i) =>
      set(halves[i], v128.shuffle32(get(rows[x]), get(rows[y]), [lane, lane + 4, lane + 1, lane + 5]))
    ),
    [0, 1, 2, 3].map((lane) => {
      const [x, y, half] = [halves[lane < 2 ? 0 : 2], halves[lane < 2 ? 1 : 3], 2 * (lane % 2)]
      return store(lane, v128.shuffle32(get(x), get(y), [half, half + 4, half + 1, half + 5]))
    }),
  ]
}

/**
 * Turns neighbours, four by four, into the fours of a group, or back: both ways the same lanes change places.
 *
 * @param neighbours Whether neighbours are what `load` gives, by the number of the first, and fours what `store` takes, by
 * their number; else the other way round.
 */
export const rearranged = (
  f: FunctionScope,
  fours: ReadonlyArray<Four>,
  neighbours: boolean,
  load: (number: number) => Code,
  store: (number: number, four: Code) => Code,
): Code => {
  const numberOf = (first: number) => fours.findIndex((four) => four.first === first)
  return fours.map(({ first, step }, v): Code => {
    if (step === 1) return neighbours ? store(v, load(first)) : store(first, load(v))
    if (step === 2) {
      if (first % 2 > 0) return []
      const pair = [f.local("v128"), f.local("v128")]
      const from = neighbours ? [first, first + 4] : [v, numberOf(first + 1)]
      const [low, high] = neighbours ? [[0, 2, 4, 6], [1, 3, 5, 7]] as const : [[0, 4, 1, 5], [2, 6, 3, 7]] as const
      const to = neighbours ? [v, numberOf(first + 1)] : [first, first + 4]
      return [
        pair.map((local, i) => set(local, load(from[i]))),
        [low, high].map((lanes, i) => store(to[i], v128.shuffle32(get(pair[0]), get(pair[1]), lanes))),
      ]
    }
    if (first % 4 > 0) return []
    // Every so many fours of neighbours have lanes of the same fours.
    const base = first - first % step, row = (i: number) => base + step * i + first % step
    const rows = [0, 1, 2, 3].map(() => f.local("v128"))
    return [
      rows.map((local, i) => set(local, load(neighbours ? row(i) : numberOf(first + i)))),
      transposed(f, rows, (i, four) => store(neighbours ? numberOf(first + i) : row(i), four)),
    ]
  })
}
