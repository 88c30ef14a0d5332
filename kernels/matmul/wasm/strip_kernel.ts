/**
 * The innermost loops of a matrix product in wide vectors, see ../wasm/wide.ts.
 *
 * A block of b is read and joined once, and kept in locals, far more than there are registers: from the stack, where
 * the engine puts them, it gets them back as they are, without a check of bounds. All rows of a then pass by that block.
 * @module
 */
import {
  brIf,
  type Code,
  f32x4,
  flatten,
  type FunctionScope,
  get,
  i32,
  increase,
  loop,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  tee,
  v128,
  when,
} from "../../wasm/assembler.ts"
import { joinable, joined, spread } from "../../wasm/wide.ts"
import { COLUMNS, ROWS } from "./micro_kernel.ts"

/** Columns of a strip: two panels of b. */
export const STRIP_COLUMNS = 2 * COLUMNS
/** Most terms of a strip: its numbers of b, 6 KiB, and the rows of a tile share the first-level cache. */
const DEPTH = 96
/** What it costs to enter and leave a tile of sums, and a term in a kernel of narrow vectors, in terms of a strip. */
const ENTER = 4, NARROW = 2

/** Terms of the strips that `k` terms fall into, a multiple of four; 0 if they are too few. The rest is for the micro-kernel. */
export const stripDepth = (k: number): number => {
  const cost = (depth: number) =>
    Math.floor(k / depth) * (depth + ENTER) + (k % depth > 0 ? NARROW * (k % depth + 8) : 0)
  const depths = Array.from({ length: DEPTH / 4 - 3 }, (_, i) => DEPTH - 4 * i).filter((depth) => depth <= k)
  return depths.reduce((best, depth) => best === 0 || cost(depth) < cost(best) ? depth : best, 0)
}

/**
 * Index of the function `(a, aStride, b, bApart, before, beforeStride, output, outputStride, tiles, more)`, all i32:
 * output = a b for `tiles` times {@link ROWS} rows and {@link STRIP_COLUMNS} columns, added to what is at `before` where
 * `more` is not 0; `before` and `output` may be one. Layouts of a are those of the micro-kernel; b is two panels
 * [depth][{@link COLUMNS}] that far apart. Addresses and strides in bytes. Terms are added in the same order as by the
 * micro-kernel, so the results have the same bits.
 *
 * @param depth A multiple of four.
 */
export const stripKernel = (
  module: ModuleBuilder,
  target: Target,
  layout: "depth" | "across",
  depth: number,
): number => {
  const name = `matmul_strip_${layout}_${depth}_${target.relaxed}`
  const params = new Array(10).fill("i32" as const)
  return module.once(
    name,
    () =>
      module.func(
        name,
        params,
        [],
        (f, a, aStride, b, bApart, before, beforeStride, output, outputStride, tiles, more) => {
          const fourVectors = () => Array.from({ length: STRIP_COLUMNS / 4 }, () => f.local("v128"))
          const right = Array.from({ length: depth }, fourVectors)
          const sums = Array.from({ length: ROWS }, fourVectors)
          const [left, second] = [f.local("v128"), f.local("i32")]
          const panels = [get(b), get(second)]
          const factors = factorsOf(f, layout, a, aStride)
          // Thousands of sums of products are written: their parts are made once.
          const one = flatten(get(left))
          const additions = sums.map((row) => row.map((sum) => flatten(set(sum, madd(target, [], [], get(sum))))))
          const spreads = sums.map((_, r) => factors.lanes.map((at) => flatten(set(left, spread(...at(r))))))
          return [
            set(second, i32.add(get(b), get(bApart))),
            right.map((vectors, step): Code => [
              vectors.map((vector, i) => set(vector, v128.load(panels[i >> 1], 4 * COLUMNS * step + 16 * (i & 1)))),
              vectors.map(joinable),
            ]),
            loop(
              when(
                get(more),
                sums.map((row) => [
                  row.map((sum, i) => set(sum, v128.load(get(before), 16 * i))),
                  row.map(joinable),
                  increase(before, get(beforeStride)),
                ]),
                sums.map((row) => row.map((sum) => set(sum, f32x4.const(0)))),
              ),
              factors.start,
              right.map((vectors, step): Code => {
                const other = vectors.map((vector) => flatten(get(vector)))
                return [
                  factors.load(step),
                  additions.map((row, r): Code => [
                    spreads[r][step % spreads[r].length],
                    row.map((addition, i): Code => [one, other[i], addition]),
                  ]),
                ]
              }),
              sums.map(([w, x, y, z]) => [joined(w, x), joined(y, z)]),
              sums.map((row) => [
                row.map((sum, i) => v128.store(get(output), get(sum), 16 * i)),
                increase(output, get(outputStride)),
              ]),
              factors.next,
              brIf(0, tee(tiles, i32.sub(get(tiles), i32.const(1)))),
            ),
          ]
        },
      ),
  )
}

/** How a tile's numbers of a come in: four at a time, as they lie side by side. */
interface Factors {
  /** Before the first step. */
  readonly start: Code
  /** Before a step. */
  readonly load: (step: number) => Code
  /** By step, in turns: local and lane with the number of a row. */
  readonly lanes: readonly ((row: number) => readonly [local: number, lane: number])[]
  /** Moves `a` to the next tile. */
  readonly next: Code
}
const factorsOf = (f: FunctionScope, layout: "depth" | "across", a: number, aStride: number): Factors => {
  if (layout === "across") {
    // Of six rows, the first four and the last four.
    const [at, fours] = [f.local("i32"), [f.local("v128"), f.local("v128")]]
    return {
      start: set(at, get(a)),
      load: () => [fours.map((four, i) => set(four, v128.load(get(at), 8 * i))), increase(at, get(aStride))],
      lanes: [(row) => row < 4 ? [fours[0], row] : [fours[1], row - 2]],
      next: increase(a, 4 * ROWS),
    }
  }
  const rows = Array.from({ length: ROWS }, () => f.local("i32")), fours = rows.map(() => f.local("v128"))
  return {
    start: rows.map((row, r) => set(row, r === 0 ? get(a) : i32.add(get(rows[r - 1]), get(aStride)))),
    load: (step) => step % 4 === 0 ? fours.map((four, r) => set(four, v128.load(get(rows[r]), 4 * step))) : [],
    lanes: [0, 1, 2, 3].map((lane) => (row) => [fours[row], lane] as const),
    next: set(a, i32.add(get(rows[ROWS - 1]), get(aStride))),
  }
}
