import { type Code, type FunctionScope, get, set, v128 } from "../../../wasm/assembler.ts"

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
