/**
 * Packing of whole blocks into panels of f32 that a micro-kernel reads in order.
 * @module
 */
import type { BlockWriting } from "../../../encoding.ts"
import {
  type Code,
  f32x4,
  forRange,
  type FunctionScope,
  get,
  i32,
  i32x4,
  increase,
  inMemory,
  madd,
  set,
  v128,
} from "../../../wasm/assembler.ts"
import type { Numbers } from "../../../wasm/vector_math.ts"
import { COLUMNS } from "../micro_kernel.ts"
import { type Groups, placeOf } from "./groups.ts"
import { hasSums } from "./row.ts"
import { rearranged, transposed } from "./transposed.ts"

/** A group that is decoded. */
interface Decoded {
  /** Sets the locals that the elements are made of. */
  readonly start: Code
  /** The elements of each four. */
  readonly elements: ReadonlyArray<Code>
}

/** Group `g` of the block at a byte address, a local. */
const decodedGroup = (f: FunctionScope, writing: BlockWriting, groups: Groups, block: number, g: number): Decoded => {
  const { module, target, memory } = writing
  const { bias = 0, sign = 0 } = groups
  const numbers: Numbers = {
    number: (value) => module.pooled(f32x4.const(value)),
    whole: (value) => module.pooled(i32x4.const(value)),
    lanes: (...four) => module.pooled(v128.const(...four)),
  }
  const place = placeOf(groups, get(block), g, 0)
  const words = inMemory(memory, () => groups.words(place)), held = words.map(() => f.local("v128"))
  const [scale, offset] = [f.local("v128"), f.local("v128")]
  const splat = (lane: number) => v128.shuffle32(get(scale), get(scale), [lane, lane, lane, lane])
  const codes = groups.codes(numbers, held.map(get), f)
  const elements = groups.fours.map(({ factor = 1 }, v) => {
    const code = factor === 1 ? codes[v] : f32x4.mul(codes[v], numbers.number(factor))
    return hasSums(groups) ? madd(target, code, get(scale), get(offset)) : f32x4.mul(code, get(scale))
  })
  return {
    start: [
      held.map((word, w) => set(word, words[w])),
      set(scale, inMemory(memory, () => groups.scales(numbers, [place], f))[0]),
      set(
        offset,
        f32x4.add(f32x4.mul(splat(1), numbers.number(sign)), f32x4.mul(splat(0), numbers.number(bias))),
      ),
      set(scale, splat(0)),
    ],
    elements,
  }
}

/** See `BlockProducts.packDeep`. */
export const packDeep = (writing: BlockWriting, columns: number, name: string, groups: Groups): number => {
  const { module, memory } = writing
  const title = `matmul_pack_deep_${name}_${memory}_${columns}`
  return module.once(title, () =>
    module.func(title, ["i32", "i32", "i32", "i32"], [], (f, from, apart, blocks, to) => {
      const { fours, count, blockBytes } = groups
      const block = f.local("i32"), rows = Array.from({ length: 4 }, () => f.local("v128"))
      const places = [from, ...Array.from({ length: columns - 1 }, () => f.local("i32"))]
      const rowBytes = 4 * COLUMNS, groupBytes = 4 * fours.length * rowBytes
      const half = (g: number, first: number): Code => {
        const own = places.slice(first, first + 4).map((place) => decodedGroup(f, writing, groups, place, g))
        return [
          own.map(({ start }) => start),
          fours.map((four, v): Code => [
            rows.map((row, c) => set(row, own[c]?.elements[v] ?? f32x4.const(0))),
            transposed(f, rows, (lane, vector) =>
              v128.store(get(to), vector, g * groupBytes + rowBytes * (four.first + lane * four.step) + 4 * first)),
          ]),
        ]
      }
      return [
        places.slice(1).map((place, i) =>
          set(place, i32.add(get(places[i]), get(apart)))
        ),
        forRange(
          block,
          i32.const(0),
          get(blocks),
          1,
          Array.from({ length: count }, (_, g) => [half(g, 0), half(g, 4)]),
          places.map((place) =>
            increase(place, blockBytes)
          ),
          increase(to, groupBytes * count),
        ),
      ]
    }))
}

/** See `BlockProducts.packWide`. */
export const packWide = (writing: BlockWriting, name: string, groups: Groups): number => {
  const { module, memory } = writing
  const title = `matmul_pack_wide_${name}_${memory}`
  return module.once(
    title,
    () =>
      module.func(title, ["i32", "i32", "i32", "i32", "i32"], [], (f, from, stride, k, to, apart) => {
        const { fours, block, count } = groups
        const l = f.local("i32")
        const panels = [to, ...Array.from({ length: block / COLUMNS - 1 }, () => f.local("i32"))]
        const store = (place: number, vector: Code): Code =>
          v128.store(get(panels[Math.floor(place / COLUMNS)]), vector, 4 * (place % COLUMNS))
        const group = (g: number): Code => {
          const { start, elements } = decodedGroup(f, writing, groups, from, g)
          const at = 4 * fours.length * g
          return [
            start,
            rearranged(f, fours, false, (v) => elements[v], (first, four) => store(at + first, four)),
          ]
        }
        return [
          panels.slice(1).map((panel, i) => set(panel, i32.add(get(panels[i]), get(apart)))),
          forRange(
            l,
            i32.const(0),
            get(k),
            1,
            Array.from({ length: count }, (_, g) => group(g)),
            increase(from, get(stride)),
            panels.map((panel) => increase(panel, 4 * COLUMNS)),
          ),
        ]
      }),
  )
}
