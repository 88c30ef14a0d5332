/**
 * Dot products of few rows with blocks of an encoding, two groups at a time: codes become f32 in registers, and the scale
 * is multiplied with the sum of a group. The rows are kept in locals, as the engine reads those from the stack without a
 * check of bounds, in the order in which codes come out; columns pass by.
 * @module
 */
import {
  type Code,
  f32,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  increase,
  madd,
  type ModuleBuilder,
  set,
  type Target,
  v128,
  when,
} from "../../../wasm/assembler.ts"
import { hoistedNumbers, joinable, joined } from "../../../wasm/wide.ts"
import type { GroupPlace, Groups } from "./group.ts"
import { transposed } from "./transposed.ts"

/** Locals of two groups of a row: their numbers, and (0, sum of the first, 0, sum of the second). */
interface RowPair {
  readonly numbers: ReadonlyArray<ReadonlyArray<number>>
  readonly sums: number
}

/** See `BlockProducts.dot`. */
export const fewRows = (
  module: ModuleBuilder,
  target: Target,
  rows: number,
  blocks: number,
  name: string,
  groups: Groups,
): number => {
  const title = `matmul_few_${rows}x${blocks}_${name}_${target.relaxed}`
  const params = new Array(8 + ((globalThis as any).D ?? 0)).fill("i32" as const)
  return module.once(title, () =>
    module.func(title, params, [], (f, a, aStride, b, bStride, columns, output, outputStride, more) => {
      const numbers = hoistedNumbers(f)
      const local = () => f.local("v128")
      const row = f.local("i32"), at = f.local("i32"), column = f.local("i32")
      const count = blocks * groups.count
      const pairs = Array.from({ length: Math.ceil(count / 2) }, (_, p) => Math.min(2, count - 2 * p))
      const x = Array.from({ length: rows }, () =>
        pairs.map((size): RowPair => ({
          numbers: Array.from({ length: size }, () => groups.fours.map(local)),
          sums: local(),
        })))
      const load = x.map((own): Code => [
        own.map((pair, p) => loadPair(f, groups, pair, row, 32 * groups.fours.length * p)),
        increase(row, get(aStride)),
      ])
      const C = (globalThis as any).C ?? 2
      const cs = Array.from({ length: C }, (_, c) => c)
      const bs = [b, ...cs.slice(1).map(() => f.local("i32"))]
      const totals = cs.map(() => x.map(local)), offsets = cs.map(() => x.map(local))
      const parts = cs.map(() => x.map(() => [local(), local()])), codes = cs.map(() => [local(), local()]), scales = cs.map(local)
      const place = (c: number, g: number): GroupPlace => ({
        block: get(bs[c]),
        bytes: groups.blockBytes * Math.floor((g % 2) / groups.count),
        group: g % groups.count,
      })
      const pair = (size: number, p: number): Code => {
        const own = cs.map((c) => {
          const places = Array.from({ length: size }, (_, i) => place(c, 2 * p + i))
          const loaded = places.map(groups.words)
          const words = loaded.map((own) => own.map(local))
          const codes = words.map((all) => groups.codes(numbers, all.map(get)))
          return { start: [
          words.map((all, i) => all.map((word, w) => set(word, loaded[i][w]))),
          set(scales[c], groups.scales(numbers, places[0], places.at(-1)!)),
          size === 1 ? [] : words[0].map((word, w) => [joinable(word), joinable(words[1][w])]),
          ], codes, places }
        })
        return [
          own.map(({ start }) => start),
          groups.fours.map((_, v): Code => [
            own.map(({ places, codes: all }, c) => places.map((_, i) => set(codes[c][i], all[i][v]))),
            x.map((row, r) =>
              cs.map((c) => own[c].places.map((_, i) => {
                const factor = get(row[p].numbers[i][v]), part = parts[c][r][i]
                return set(
                  part,
                  v === 0 ? f32x4.mul(get(codes[c][i]), factor) : madd(target, get(codes[c][i]), factor, get(part)),
                )
              }))
            ),
          ]),
          size === 1 ? [] : parts.map((all) => all.map(([first, second]) => joined(first, second))),
          cs.map((c) => x.map((row, r) => [
            own[c].places.map((_, i) => {
              const scale = v128.shuffle32(get(scales[c]), get(scales[c]), i === 0 ? [0, 0, 0, 0] : [2, 2, 2, 2])
              return set(totals[c][r], madd(target, get(parts[c][r][i]), scale, get(totals[c][r])))
            }),
            groups.offset ? set(offsets[c][r], madd(target, get(scales[c]), get(row[p].sums), get(offsets[c][r]))) : [],
          ])),
          bs.map((b) => increase(b, groups.blockBytes * 2 / groups.count)),
        ]
      }
      const body = pairs.map(pair)
      return [
        set(row, get(a)),
        load,
        numbers.set(),
        forRange(
          column,
          i32.const(0),
          get(columns),
          C,
          [...totals.flat(), ...offsets.flat()].map((total) => set(total, f32x4.const(0))),
          bs.slice(1).map((local, i) => set(local, i32.add(get(bs[i]), get(bStride)))),
          body,
          cs.map((c) => [
          set(at, get(output)),
          totals[c].map((total, r) => [
            groups.offset ? set(total, f32x4.add(get(total), get(offsets[c][r]))) : [],
            set(total, f32x4.add(get(total), v128.shuffle32(get(total), get(total), [2, 3, 0, 1]))),
            set(total, f32x4.add(get(total), v128.shuffle32(get(total), get(total), [1, 0, 3, 2]))),
            when(get(more), set(total, f32x4.add(get(total), v128.load32Zero(get(at))))),
            v128.store32Lane(0, get(at), get(total)),
            increase(at, get(outputStride)),
          ]),
          increase(output, 4),
          ]),
          increase(b, i32.sub(i32.mul(get(bStride), i32.const(C)), i32.const(blocks * groups.blockBytes))),
        ),
      ]
    }))
}

/** Loads two groups of a row, or one, into their locals, from an offset on. */
const loadPair = (f: FunctionScope, { fours, offset }: Groups, pair: RowPair, row: number, at: number): Code => {
  const all = f.local("v128")
  const each = pair.numbers.map((own, i): Code => {
    const start = at + 16 * fours.length * i
    const loads = fours.map(({ first, step }, v): Code => {
      if (step === 1) return set(own[v], v128.load(get(row), start + 4 * first))
      if (first % 16 !== 0) return []
      const rows = [0, 1, 2, 3].map(() => f.local("v128"))
      return [
        rows.map((local, i) => set(local, v128.load(get(row), start + 4 * first + 16 * i))),
        transposed(f, rows, (lane, vector) => set(own[fours.findIndex((one) => one.first === first + lane)], vector)),
      ]
    })
    const lanes = [0, 1, 2, 3].map((lane) => f32x4.extractLane(get(all), lane))
    return [
      loads,
      offset
        ? [
          set(all, own.slice(1).reduce<Code>((sum, other) => f32x4.add(sum, get(other)), get(own[0]))),
          set(
            pair.sums,
            f32x4.replaceLane(get(pair.sums), 2 * i + 1, lanes.slice(1).reduce((sum, x) => f32.add(sum, x), lanes[0])),
          ),
        ]
        : [],
      fours.map(({ factor = 1 }, v) => factor === 1 ? [] : set(own[v], f32x4.mul(get(own[v]), f32x4.const(factor)))),
    ]
  })
  const [first, second] = pair.numbers
  return [each, second === undefined ? [] : first.map((local, v) => [joinable(local), joinable(second[v])])]
}
