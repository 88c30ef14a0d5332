/**
 * The function of a `rows` call.
 *
 * A row is walked once for each nesting depth of reductions: walk p computes what depends on p nested reductions. What has
 * one value a row is computed once a row. Other values are computed again in a later walk, unless they are expensive:
 * those are kept in a row of scratch. All outputs are stored in the last walk, so that an output in place of an input
 * spoils nothing.
 * @module
 */
import { sizeOf } from "../../../core/tensor/shape.ts"
import { neededSteps } from "../../analysis.ts"
import type { Instruction } from "../../contract.ts"
import {
  brIf,
  type Code,
  forRange,
  type FunctionScope,
  get,
  i32,
  loop,
  minU32,
  set,
  tee,
  v128,
  when,
} from "../../wasm/assembler.ts"
import { combine, combineLanes, identity } from "../../wasm/body.ts"
import { coordinates, type FusedBody, type FusedSteps, fusedSteps, moved } from "../../wasm/fused.ts"
import type { KernelContext } from "../../wasm/kernel.ts"
import { placeIn, stepOf, storeLanes } from "../../wasm/lanes.ts"

type Reduction = Extract<Instruction, { op: "reduce" }>

/** A call with merged axes: its function depends on nothing else. Operands are the inputs, then the outputs. */
export interface RowsShape extends FusedBody {
  /** Extents before the last axis. */
  readonly outer: ReadonlyArray<number>
  readonly columns: number
  /** Steps that are stored, and whether only one value a row is. */
  readonly outputs: ReadonlyArray<{ readonly step: number; readonly perRow: boolean }>
  /** Rows of one unit; 0 if units are column ranges of `chunk`. */
  readonly rowsPerUnit: number
  readonly chunk: number
}

/** When each step is computed. */
export interface Schedule {
  /** Number of nested reductions below each step; -1 if no output needs it. */
  readonly level: ReadonlyArray<number>
  readonly perRow: ReadonlyArray<boolean>
  readonly walks: number
  /** Steps whose values are kept for later walks. */
  readonly kept: ReadonlySet<number>
}

/** A function under construction. Locals `place` to `atEnd` count the bytes of f32 along the row. */
interface RowWriter {
  readonly shape: RowsShape
  readonly schedule: Schedule
  readonly steps: FusedSteps
  readonly copies: number
  readonly scratch: number
  /** The first column of the vector, the end of whole vectors, and that of the unrolled loop. */
  readonly place: number
  readonly full: number
  readonly stop: number
  /** Whether this range of columns reaches the end of the row. */
  readonly atEnd: number
  /** Address of each operand's row. */
  readonly pointers: ReadonlyArray<number>
  /** Address of an operand at `place`. */
  readonly here: (operand: number) => Code
  /** Code that finds the coordinates and addresses of the local `row`. */
  readonly enterRow: Code
}

/** Adds the function `(begin, end, scratch, ...addresses)` over units. */
export const rowFunction = (shape: RowsShape, context: KernelContext, schedule: Schedule): number => {
  const parameters = new Array(3 + shape.strides.length).fill("i32" as const)
  return context.module.func("rows", parameters, [], (scope, begin, end, scratch, ...bases) => {
    const row = scope.local("i32")
    const writer = beginRow(shape, context, schedule, scope, row, scratch, bases)
    const constants = shape.body.flatMap(({ op }, step) =>
      op === "constant" && schedule.level[step] >= 0 ? [writer.steps.compute(step)] : []
    )
    const walk = walkRow(writer)
    return [constants, overUnits(writer, scope, row, begin, end, [writer.enterRow, walk])]
  })
}

const beginRow = (
  shape: RowsShape,
  context: KernelContext,
  schedule: Schedule,
  scope: FunctionScope,
  row: number,
  scratch: number,
  bases: ReadonlyArray<number>,
): RowWriter => {
  const { body, outer, columns, strides, encodings } = shape
  const { level, perRow } = schedule
  const [rest, place, full, stop, atEnd] = Array.from({ length: 5 }, () => scope.local("i32"))
  const busy = body.filter((_, step) => level[step] >= 0 && !perRow[step]).length
  const copies = columns < 32 ? 1 : busy <= 8 ? 4 : busy <= 20 ? 2 : 1
  const indices: Array<number> = [], pointers: Array<number> = []
  const here = (operand: number): Code => {
    const stride = strides[operand].at(-1)!
    const bytes = placeIn(encodings[operand], get(place))
    const offset = stride === 1 ? bytes : i32.mul(bytes, i32.const(stride))
    return stride === 0 ? get(pointers[operand]) : i32.add(get(pointers[operand]), offset)
  }
  const needed = new Set([...body.keys()].filter((step) => level[step] >= 0))
  const steps = fusedSteps(context, scope, shape, needed, perRow, copies, {
    first: (operand) => get(pointers[operand]),
    here,
    index: (axis) => get(indices[axis]),
    column: i32.shrU(get(place), i32.const(2)),
  })
  outer.forEach(() => indices.push(scope.local("i32")))
  const moves = strides.map((by) => outer.some((_, axis) => by[axis] !== 0))
  moves.forEach((moves, operand) => pointers.push(moves ? scope.local("i32") : bases[operand]))
  const enterRow = [
    outer.length === 1 ? [] : set(rest, get(row)),
    coordinates(outer.length === 1 ? row : rest, outer, indices),
    strides.map((by, operand) =>
      moves[operand] ? set(pointers[operand], moved(get(bases[operand]), indices, by, stepOf(encodings[operand]))) : []
    ),
  ]
  return { shape, schedule, steps, copies, scratch, place, full, stop, atEnd, pointers, here, enterRow }
}

/** All walks of a row. */
const walkRow = (writer: RowWriter): Code => {
  const { shape: { body, outputs, strides }, schedule: { level, perRow, walks, kept }, steps, pointers } = writer
  const inputs = strides.length - outputs.length
  const code: Array<Code> = []
  /** Steps that an earlier walk kept. */
  const ready = new Set<number>()
  for (let walk = 0; walk < walks; walk++) {
    body.forEach(({ op }, step) => {
      if (level[step] === walk && perRow[step] && op !== "reduce" && op !== "constant") code.push(steps.compute(step))
    })
    const reductions = body.flatMap(({ op }, step) => op === "reduce" && level[step] === walk + 1 ? [step] : [])
    const stored = walk < walks - 1 ? [] : [...outputs.keys()].filter((o) => !outputs[o].perRow)
    if (reductions.length === 0 && stored.length === 0) continue
    const roots = [
      ...reductions.map((step) => (body[step] as Reduction).args[0]),
      ...stored.map((o) => outputs[o].step),
    ]
    const computed = neededSteps(body, roots, (step) => ready.has(step) || perRow[step])
      .filter((step) => !perRow[step])
    code.push(
      reduced(writer, reductions, (copy, count) => [
        computed.map((step) => computeOrKeep(writer, step, ready, copy, count)),
        reductions.map((step) => accumulate(writer, step, copy, count)),
        stored.map((o) => {
          const operand = inputs + o, stride = strides[operand].at(-1)!
          const value = steps.value(outputs[o].step, copy)
          return storeLanes(writer.here(operand), stride, count, 4 * copy * stride, value)
        }),
      ]),
    )
    computed.forEach((step) => kept.has(step) && ready.add(step))
  }
  outputs.forEach(({ step, perRow: single }, o) => {
    if (single) code.push(storeLanes(get(pointers[inputs + o]), 1, 1, 0, steps.value(step)))
  })
  return code
}

/** One walk with the reductions that end in it. */
const reduced = (
  writer: RowWriter,
  reductions: ReadonlyArray<number>,
  evaluate: (copy: number, count: number) => Code,
): Code => {
  const { shape: { body }, steps: { accumulators, locals } } = writer
  return [
    reductions.map((step) => {
      const { kind, dtype } = body[step] as Reduction
      return accumulators.map((copy) => set(copy[step], identity(kind, dtype)))
    }),
    walkColumns(writer, evaluate),
    reductions.map((step) => {
      const { kind, dtype } = body[step] as Reduction
      const [first, ...others] = accumulators.map((copy) => copy[step])
      return [
        others.map((other) => set(first, combine(kind, dtype, get(first), get(other)))),
        combineLanes(kind, dtype, first),
        set(locals[0][step], get(first)),
      ]
    }),
  ]
}

/** Computes a step, or reads it where an earlier walk kept it. */
const computeOrKeep = (
  { shape, schedule: { kept }, steps: { compute, locals }, place, scratch }: RowWriter,
  step: number,
  ready: ReadonlySet<number>,
  copy: number,
  count: number,
): Code => {
  if (!kept.has(step)) return compute(step, copy, count)
  const address = i32.add(get(scratch), get(place)), local = locals[copy][step]
  const offset = [...kept].indexOf(step) * 16 * Math.ceil(shape.columns / 4) + 16 * copy
  return ready.has(step)
    ? set(local, v128.load(address, offset))
    : [compute(step, copy, count), v128.store(address, get(local), offset)]
}

const accumulate = ({ shape: { body }, steps }: RowWriter, step: number, copy: number, count: number): Code => {
  const { kind, dtype, args: [argument] } = body[step] as Reduction
  const accumulator = steps.accumulators[copy][step]
  const value = steps.value(argument, copy)
  const masked = count === 4 ? value : v128.bitselect(value, identity(kind, dtype), lanesBelow(count))
  return set(accumulator, combine(kind, dtype, get(accumulator), masked))
}

const lanesBelow = (count: number): Code => v128.const(-1, count > 1 ? -1 : 0, count > 2 ? -1 : 0, count > 3 ? -1 : 0)

/** Walks the columns from `place` on: unrolled, then vector by vector up to `full`, then the rest of the row. */
const walkColumns = (
  { shape: { columns, rowsPerUnit }, copies, place, full, stop, atEnd }: RowWriter,
  evaluate: (copy: number, count: number) => Code,
): Code => {
  const wholeRow = rowsPerUnit > 0, tail = columns % 4
  const turns = (limit: number, unrolled: number): Code =>
    when(
      i32.ltU(get(place), get(limit)),
      loop(
        Array.from({ length: unrolled }, (_, copy) => evaluate(copy, 4)),
        brIf(0, i32.ltU(tee(place, i32.add(get(place), i32.const(16 * unrolled))), get(limit))),
      ),
    )
  return [
    wholeRow ? set(place, i32.const(0)) : [],
    wholeRow && columns >= 4 ? set(full, i32.const(16 * Math.floor(columns / 4))) : [],
    copies === 1 ? [] : [
      set(stop, i32.add(get(place), i32.and(i32.sub(get(full), get(place)), i32.const(-16 * copies)))),
      turns(stop, copies),
    ],
    columns >= 4 ? turns(full, 1) : [],
    tail === 0 ? [] : wholeRow || columns < 4 ? evaluate(0, tail) : when(get(atEnd), evaluate(0, tail)),
  ]
}

/** Runs `oneRow` for the units from `begin` to `end`: whole rows, or ranges of columns. */
const overUnits = (
  { shape: { outer, columns, rowsPerUnit, chunk }, place, full, atEnd }: RowWriter,
  scope: FunctionScope,
  row: number,
  begin: number,
  end: number,
  [enterRow, walk]: readonly [Code, Code],
): Code => {
  const rows = sizeOf(outer)
  if (rowsPerUnit > 0) {
    const lastRow = scope.local("i32")
    const limit = i32.mul(get(end), i32.const(rowsPerUnit))
    return [
      set(lastRow, minU32(limit, i32.const(rows))),
      forRange(row, i32.mul(get(begin), i32.const(rowsPerUnit)), get(lastRow), 1, enterRow, walk),
    ]
  }
  const chunks = Math.ceil(columns / chunk), wholeBytes = 16 * Math.floor(columns / 4)
  const bytes = i32.const(4 * chunk)
  const clamp = (bytes: Code) => minU32(bytes, i32.const(wholeBytes))
  if (rows === 1) {
    return [
      set(row, i32.const(0)),
      set(place, i32.mul(get(begin), bytes)),
      set(full, clamp(i32.mul(get(end), bytes))),
      set(atEnd, i32.eq(get(end), i32.const(chunks))),
      enterRow,
      when(i32.ltU(get(begin), get(end)), walk),
    ]
  }
  const unit = scope.local("i32")
  return forRange(unit, get(begin), get(end), 1, [
    set(row, i32.divU(get(unit), i32.const(chunks))),
    set(place, i32.mul(i32.remU(get(unit), i32.const(chunks)), bytes)),
    set(full, clamp(i32.add(get(place), bytes))),
    set(atEnd, i32.geU(i32.add(get(place), bytes), i32.const(4 * columns))),
    enterRow,
    walk,
  ])
}
