/**
 * Rows in the shaders of attention: read, multiplied and added in pieces of four terms.
 * @module
 */
import type { Operand } from "../../wgsl/kernel.ts"
import { range, slotsOf, type TileForm, type TileRows, type TileText } from "./tile_form.ts"

/** Pieces of rows: piece `x` of a row is four of its terms. */
export const rowPieces = ({ form, fours, paged, operand, push }: {
  readonly form: TileForm
  /** Whether operands are bound as `vec4<f32>`. */
  readonly fours: boolean
  /** Operands whose rows lie in pages. */
  readonly paged: ReadonlySet<string>
  readonly operand: (name: string) => Operand
  readonly push: TileText["push"]
}) => {
  const { lanes, others, broadcast } = form
  const readers = new Set<string>()
  /** Piece `x` of a row; behind the row's end there are zeros. */
  const piece = (name: string, at: string): string => {
    if (fours) return operand(name).load(`${at} + x`)
    readers.add(name)
    return `read_${name}(${at}, x, ${name}_width)`
  }
  const reader = (name: string): string => {
    const four = range(4).map((i) => operand(name).load(`begin + min(${i}u, left - 1u)`))
    return `fn read_${name}(at: u32, x: u32, width: u32) -> vec4<f32> {
let begin = at + x * 4u;
let left = width - x * 4u;
return select(vec4<f32>(), vec4(${four.join(", ")}), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(left));
}
`
  }
  const storePiece = (name: string, valid: string, at: string, value: string): string => {
    const { store } = operand(name)
    if (fours) return `if (${valid}) { ${store(`${at} + x`, value)} }`
    const each = range(4).map((i) => `if (${i}u < left) { ${store(`${at} + x * 4u + ${i}u`, `${value}[${i}]`)} }`)
    return `if (${valid}) { let left = ${name}_width - x * 4u; ${each.join(" ")} }`
  }
  const storeOwn = ({ name, at }: TileRows, r: number, value: string): string =>
    storePiece(name, `valid${r}`, `${at}${r}`, value)
  const openRow = (name: string): void => push(`for (var x = 0u; x * 4u < ${name}_width; x++) {`)
  const slots = slotsOf(form)
  const spread = (name: string, read: (u: number) => string): void => {
    if (!broadcast) return push(...range(others).map((u) => `let ${name}${u} = ${read(u)};`))
    push(...range(slots).map((j) => `let ${name}_slot${j} = ${read(j)};`))
    push(
      ...range(others).map((u) =>
        `let ${name}${u} = subgroupBroadcast(${name}_slot${Math.floor(u / lanes)}, ${u % lanes}u);`
      ),
    )
  }
  /** Defines the tile's rows' piece `x`. */
  const pieces = ({ name, at }: TileRows): void => spread("piece", (slot) => piece(name, `${at}_slot${slot}`))
  /** Defines the addresses of an operand's rows that the threads read. */
  const enter = ({ name, at }: TileRows): void =>
    push(
      ...range(slots).map((j) =>
        paged.has(name)
          ? `let ${at}_slot${j} = ${at} + page${j} * ${name}_b + slot${j} % page_keys * ${name}_r;`
          : `let ${at}_slot${j} = ${at} + slot${j} * ${name}_r;`
      ),
    )
  return {
    piece,
    storePiece,
    storeOwn,
    openRow,
    pieces,
    spread,
    enter,
    readers: () => [...readers].map(reader),
  }
}

/** Operations on the rows of a shader. */
export interface RowOperations {
  /** Defines `name<u>` for each row of the tile by what is read at the row of a number. */
  readonly spread: (name: string, read: (other: string) => string) => void
  /** Defines sums `sum<u>` of the products of the own rows and row u of the tile. */
  readonly products: (sum: string, own: TileRows, others: TileRows) => void
  /**
   * Adds the tile's rows, each times `weight<u>`, to own rows of an operand; what is there before counts `keep` times
   * (default 1), or nothing as long as `started` is false.
   */
  readonly accumulate: (target: TileRows, weight: string, others: TileRows, keep?: string) => void
  /** Stores zeros in own rows of an operand. */
  readonly clear: (target: TileRows) => void
  /**
   * Only where there are broadcasts and four own rows: adds own rows, each times its parts of `weight<u>`, to the tile's
   * rows of an operand.
   */
  readonly accumulateOthers: (target: TileRows, weight: string, own: TileRows) => void
  /** Only there too: stores zeros in all of `count` other rows of an operand. */
  readonly clearOthers: (target: TileRows, count: string) => void
}

/** Makes the operations. */
export const rowOperations = (
  { lanes, own, others }: TileForm,
  { piece, storePiece, storeOwn, openRow, pieces, spread, enter }: ReturnType<typeof rowPieces>,
  { push, gather, part, type }: TileText,
  slots: number,
): RowOperations => ({
  spread: (name, read) => spread(name, (slot) => read(`slot${slot}`)),
  products: (sum, a, b) => {
    for (const u of range(others)) push(`var ${sum}${u} = ${type("f32")}();`)
    push(`{`)
    enter(b)
    openRow(a.name)
    for (const r of range(own)) push(`let mine${r} = ${piece(a.name, `${a.at}${r}`)};`)
    pieces(b)
    for (const u of range(others)) push(`${sum}${u} += ${gather((r) => `dot(mine${r}, piece${u})`)};`)
    push(`}`, `}`)
  },
  accumulate: (target, weight, b, keep) => {
    push(`{`)
    enter(b)
    openRow(b.name)
    pieces(b)
    for (const r of range(own)) push(`var sum${r} = vec4<f32>();`)
    push(`if (started) {`)
    for (const r of range(own)) {
      const before = piece(target.name, `${target.at}${r}`)
      push(`sum${r} = ${before}${keep === undefined ? "" : ` * ${part(keep, r)}`};`)
    }
    push(`}`)
    for (const r of range(own)) {
      for (const u of range(others)) push(`sum${r} += ${part(`${weight}${u}`, r)} * piece${u};`)
      push(storeOwn(target, r, `sum${r}`))
    }
    push(`}`, `}`)
  },
  clear: (target) => {
    openRow(target.name)
    for (const r of range(own)) push(storeOwn(target, r, "vec4<f32>()"))
    push(`}`)
  },
  accumulateOthers: (target, weight, a) => {
    push(`{`)
    enter(target)
    // Weights of lane i for row u become weights of lane u for row i: `turned<i>_<j>` of row j * lanes + thread.
    for (const i of range(lanes)) {
      for (const j of range(slots)) {
        push(`var turned${i}_${j} = subgroupBroadcast(${weight}${j * lanes}, ${i}u);`)
        for (const l of range(lanes).slice(1)) {
          const other = `subgroupBroadcast(${weight}${j * lanes + l}, ${i}u)`
          push(`turned${i}_${j} = select(turned${i}_${j}, ${other}, thread == ${l}u);`)
        }
      }
    }
    openRow(target.name)
    for (const j of range(slots)) push(`var sum${j} = ${piece(target.name, `${target.at}_slot${j}`)};`)
    for (const r of range(own)) {
      push(`let mine${r} = ${piece(a.name, `${a.at}${r}`)};`)
      for (const i of range(lanes)) {
        push(`let mine${r}_${i} = subgroupBroadcast(mine${r}, ${i}u);`)
        for (const j of range(slots)) push(`sum${j} += turned${i}_${j}[${r}] * mine${r}_${i};`)
      }
    }
    for (const j of range(slots)) {
      push(storePiece(target.name, `start + ${j * lanes}u + thread == slot${j}`, `${target.at}_slot${j}`, `sum${j}`))
    }
    push(`}`, `}`)
  },
  clearOthers: ({ name, at }, total) => {
    push(`for (var other = thread; other < ${total}; other += ${lanes}u) {`)
    openRow(name)
    push(storePiece(name, "true", `${at} + other * ${name}_r`, "vec4<f32>()"))
    push(`}`, `}`)
  },
})
