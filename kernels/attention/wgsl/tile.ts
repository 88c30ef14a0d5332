/**
 * What the shaders of attention and of its derivatives share: each thread has rows of its own, of queries or of keys,
 * and all threads of a workgroup go through the other rows together, a tile at a time.
 *
 * Scores of one tile are variables; sums that grow from tile to tile lie in the output. Rows are read in pieces of four
 * terms, which costs a CPU in disguise little more than one. A GPU reads the other rows through its cache, the same for
 * all threads. A CPU spreads them over the lanes by one load, from where each reaches all by a broadcast within the
 * subgroup; and each lane has four rows of its own, so that a broadcast is used four times.
 * @module
 */
import type { View } from "../../contract.ts"
import { collectFunctions, type FunctionName } from "../../wgsl/functions.ts"
import { type Dispatch, type KernelContext, lineOfWorkgroups } from "../../wgsl/kernel.ts"
import { PARAMETERS } from "../../wgsl/places.ts"
import { range, slotsOf, type TileForm, tileForm, type TileText } from "./tile_form.ts"
import { type RowOperations, rowOperations, rowPieces } from "./tile_rows.ts"

/** An operand as the code names it. */
export interface TileOperand {
  /** Beginning of the names of its distances. */
  readonly name: string
  /** Where it lies. */
  readonly view: View
  /** A letter for each axis, which ends the name of its distance; `-` for an axis that is read in pieces of four. */
  readonly axes: string
  /** Whether the code stores to it. */
  readonly writes?: boolean
  /** Whether its last axis repeats along the keys. */
  readonly repeats?: boolean
  /** Whether its rows lie in pages of `page_keys` rows: its axis `b` counts pages, which an operand `pages` names. */
  readonly paged?: boolean
  /** Whether its elements are i32. */
  readonly integers?: boolean
}

/** One shader while it is written. */
export interface TileShader extends TileText, RowOperations {
  /** How the rows are cut. */
  readonly form: TileForm
  /** Name of a function on such numbers. */
  readonly use: (name: FunctionName) => string
  /** Defines a size (u32) that is no part of the code. */
  readonly size: (name: string, value: number) => void
  /** Address in an operand, of the coordinates by the letters of their axes; others count nothing. */
  readonly place: (name: string, at: Readonly<Record<string, string>>) => string
  /** Expression of an operand's element. */
  readonly load: (name: string, at: string) => string
  /** Statement that puts a value there. */
  readonly store: (name: string, at: string, value: string) => string
  /** Begins a loop over tiles of `count` other rows. Row u of a tile is number `other<u>`, if that is below `count`. */
  readonly openTile: (count: string) => void
  /**
   * Begins a block that is left out if no row of the tile is visible. In it `seen<u>` tells of row u whether own rows see
   * it or are seen by it: a truth value for each own row, from the expression.
   */
  readonly openVisible: (seen: (u: number) => string) => void
  /** The column of an operand `[..., s]` that belongs to a key. */
  readonly column: (name: string, key: string) => string
  /** An operand's elements at row u of the tile, for each own row; `at<r>` begin the addresses at other row 0. */
  readonly pairs: (name: string, u: number, count: string, axis: string) => string
  /** The finished dispatch. */
  readonly finish: (label: string) => Dispatch
}

/** A number of f32 as a size. */
export const bitsOf = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]

/** Where own rows are the queries of all groups: their addresses `<name>_at<r>` in these operands. */
export const enterQueries = ({ form, push, place }: TileShader, names: ReadonlyArray<string>): void => {
  for (const r of range(form.own)) {
    push(`let g${r} = i${r} / queries;`, `let t${r} = i${r} % queries;`)
    for (const name of names) {
      push(`let ${name}_at${r} = ${place(name, { b: "b", h: "h", g: `g${r}`, r: `t${r}` })};`)
    }
  }
}

/** Where own rows are queries with ranges at `seen_at<r>`: see {@link TileShader.openVisible}. */
export const seenByQueries = ({ push, gather, load, size, type }: TileShader, apart: number): (u: number) => string => {
  push(`let low = ${gather((r) => `u32(${load("seen", `seen_at${r}`)})`)};`)
  push(`let high = ${gather((r) => `select(0u, u32(${load("seen", `seen_at${r} + 1u`)}), valid${r})`)};`)
  const u32 = type("u32")
  if (apart > 0) size("apart", apart)
  return (u) => {
    const other = `${u32}(other${u})`
    const inRange = `(${other} >= low) & (${other} < high)`
    return apart === 0 ? inRange : `(${inRange}) | (${other} < ${u32}(apart))`
  }
}

/** The same in a tile of `queries` queries, with ranges from `seen_at` on, for own rows that are keys, numbers `key`. */
export const seesKeys = ({ form, load, spread, type }: TileShader, apart: number): (u: number) => string => {
  const u32 = type("u32")
  for (const [i, name] of ["low", "high"].entries()) {
    spread(name, (query) => load("seen", `seen_at + ${query} * seen_r + ${i}u`))
  }
  return (u) => {
    const inRange = `(key >= ${u32}(u32(low${u}))) & (key < ${u32}(u32(high${u})))`
    const all = apart === 0 ? inRange : `(${inRange}) | (key < ${u32}(apart))`
    return `(${all}) & ${form.own === 1 ? "" : "vec4<bool>"}(other${u} < queries)`
  }
}

/** Whether all that is read in pieces of four may be bound as `vec4<f32>`. */
const inFours = (operands: ReadonlyArray<TileOperand>): boolean => {
  const single = new Set(operands.flatMap(({ axes, view }) => axes.endsWith("-") ? [] : [view.buffer]))
  return operands.every(({ axes, view: { buffer, offset, shape, strides } }) =>
    !axes.endsWith("-") ||
    !single.has(buffer) && [offset, shape[shape.length - 1], ...strides.slice(0, -1)].every((by) => by % 4 === 0)
  )
}

/** What is done by one shader. */
export interface TileTask {
  /** Extent of the first axis of keys. */
  readonly batch: number
  /** Extent of their second. */
  readonly shared: number
  /** Number of own rows of each entry of `batch` and `shared`. */
  readonly rows: number
  /** Whether one workgroup has all own rows of an entry, a tile after the other, in a loop that the code closes. */
  readonly together?: boolean
}

/**
 * Begins a shader. The code finds `b` and `h`, coordinates along `batch` and `shared`; for each own row r its number
 * `i<r>`, below `rows`, and whether it is one, `valid<r>`.
 *
 * @param inline Whether sizes are a part of the code all the same, to spare a binding.
 */
export const openTiles = (
  { batch, shared, rows, together }: TileTask,
  operands: ReadonlyArray<TileOperand>,
  inline: boolean,
  context: KernelContext,
): TileShader => {
  const form = tileForm(rows, context.device)
  const { lanes, own, others, broadcast } = form
  const shader = context.shader()
  const functions = collectFunctions()
  const fours = inFours(operands)
  const unit = (axes: string) => fours && axes.endsWith("-") ? 4 : 1
  const bound = new Map(operands.map(({ name, view: { buffer }, axes, writes, integers }) => {
    const element = integers ? "i32" : unit(axes) === 4 ? "vec4<f32>" : "f32"
    return [name, { axes, ...(writes ? shader.write(buffer, element) : shader.read(buffer, element)) }] as const
  }))
  const sizes: Array<readonly [string, number]> = []
  const main: Array<string> = []
  const push = (...statements: ReadonlyArray<string>): void => void main.push(...statements)
  const size = (name: string, value: number): void => void sizes.push([name, value])
  const gather = (of: (r: number) => string): string => own === 1 ? of(0) : `vec4(${range(4).map(of).join(", ")})`

  for (const { name, view: { offset, shape, strides }, axes, repeats } of operands) {
    size(`${name}_0`, offset / unit(axes))
    ;[...axes].forEach((axis, i) => {
      if (axis === "-") size(`${name}_width`, shape[i])
      else size(`${name}_${axis}`, strides[i] / unit(axes))
    })
    if (repeats) size(`${name}_period`, shape[shape.length - 1])
  }
  const tiles = Math.ceil(rows / (lanes * own)), count = (together ? 1 : tiles) * batch * shared
  const { workgroups, number, exact } = lineOfWorkgroups(count, context.device)
  size("tiles", tiles)
  size("count", count)
  size("heads", shared)
  size("rows", rows)
  push(
    `let number = ${number};`,
    ...exact ? [] : [`if (number >= count) { return; }`],
    // Neighbouring workgroups share the other rows.
    `let entry = ${together ? "number" : "number / tiles"};`,
    `let h = entry % heads;`,
    `let b = entry / heads;`,
    together ? `for (var tile = 0u; tile < tiles; tile++) {` : `let tile = number % tiles;`,
    `let first = tile * ${lanes * own}u + thread;`,
  )
  for (const r of range(own)) {
    push(`let valid${r} = first + ${r * lanes}u < rows;`, `let i${r} = min(first + ${r * lanes}u, rows - 1u);`)
  }

  const paged = new Set(operands.filter(({ paged }) => paged).map(({ name }) => name))
  const periodic = new Set(operands.filter(({ repeats }) => repeats).map(({ name }) => name))
  const column = (name: string, key: string): string => periodic.has(name) ? `(${key} % ${name}_period)` : key
  const type = (element: "f32" | "u32"): string => own === 1 ? element : `vec4<${element}>`
  const part = (value: string, r: number): string => own === 1 ? value : `${value}[${r}]`
  const slots = slotsOf(form)
  const pieces = rowPieces({ form, fours, paged, operand: (name) => bound.get(name)!, push })
  const operations = rowOperations(form, pieces, { push, gather, part, type }, slots)
  const pairs = (name: string, u: number, total: string, axis: string): string => {
    const other = `min(other${u}, ${total} - 1u)`
    const at = axis === "s" ? column(name, other) : other
    return gather((r) => bound.get(name)!.load(`${name}_at${r} + ${at} * ${name}_${axis}`))
  }

  return {
    form,
    type,
    gather,
    part,
    use: (name) => functions.use(name, own),
    push,
    size,
    place: (name, at) => {
      const terms = [...bound.get(name)!.axes].filter((axis) => axis in at && !(axis === "b" && paged.has(name))).map((
        axis,
      ) => `${at[axis]} * ${name}_${axis}`)
      return [`${name}_0`, ...terms].join(" + ")
    },
    load: (name, at) => bound.get(name)!.load(at),
    store: (name, at, value) => bound.get(name)!.store(at, value),
    openTile: (total) => {
      push(`for (var start = 0u; start < ${total}; start += ${others}u) {`)
      push(...range(others).map((u) => `let other${u} = start + ${u}u;`))
      push(
        ...range(slots).map((j) =>
          `let slot${j} = min(start + ${broadcast ? `${j * lanes}u + thread` : `${j}u`}, ${total} - 1u);`
        ),
      )
      if (paged.size > 0) {
        const { load } = bound.get("pages")!
        push(...range(slots).map((j) => `let page${j} = u32(${load(`pages_at + slot${j} / page_keys * pages_s`)});`))
      }
    },
    openVisible: (seen) => {
      push(...range(others).map((u) => `let seen${u} = ${seen(u)};`))
      const any = `any(${range(others).map((u) => `seen${u}`).join(" | ")})`
      push(`if (${broadcast ? `subgroupAny(${any})` : any}) {`)
    },
    column,
    pairs,
    ...operations,
    finish: (label) => {
      const table = inline ? undefined : shader.read(context.constants(sizes.map(([, value]) => value)))
      const lets = sizes.map(([name, value], i) =>
        `let ${name} = ${table === undefined ? `${value >>> 0}u` : `u32(${table.load(`${i}u`)})`};`
      )
      const entry = `@compute @workgroup_size(${lanes}) fn main(${PARAMETERS}) {`
      return shader.finish({
        label,
        code: [functions.text(), ...pieces.readers(), entry, ...lets, ...main].join("\n"),
        workgroups,
        enable: broadcast ? ["subgroups"] : [],
      })
    },
  }
}
