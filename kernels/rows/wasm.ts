/**
 * WebAssembly of `rows`: one fused function a call, four columns at a time.
 *
 * A row is walked once for each nesting depth of reductions: walk p has what depends on p nested reductions. What is the
 * same for the whole row is computed once a row. Values are computed again in a later walk, unless they are expensive:
 * those are kept in a row of scratch. All outputs are stored in the last walk, so that an output in place of an input
 * spoils nothing.
 * @module
 */
import { bytesOf } from "../../core/tensor/dtype.ts"
import { sizeOf } from "../../core/tensor/shape.ts"
import type { Instruction, Storage } from "../contract.ts"
import type { RowsCall } from "./call.ts"
import {
  brIf,
  call as callFunction,
  type Code,
  f32x4,
  forRange,
  get,
  i32,
  i32x4,
  loop,
  select,
  set,
  tee,
  v128,
  when,
} from "../wasm/assembler.ts"
import { combine, combineLanes, elementwise, identity, isExpensive, valueOf } from "../wasm/body.ts"
import { neededSteps, perRowSteps, reductionDepths } from "../analysis.ts"
import { collapse, keyWith } from "../collapse.ts"
import { itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { loadStored, storeLanes } from "../wasm/lanes.ts"

/** Rows longer than this are worth splitting when there are few of them. */
const LONG_ROW = 4096
/** Expensive values are kept only while a row of them fits the nearer caches. */
const KEPT_BYTES = 1 << 18

/** The call with merged axes; what the function is written from, and its key. */
interface Shape {
  readonly body: ReadonlyArray<Instruction>
  /** Extents before the last axis. */
  readonly outer: ReadonlyArray<number>
  readonly columns: number
  /** Strides of the inputs, then of the outputs. */
  readonly strides: ReadonlyArray<ReadonlyArray<number>>
  /** What the memory of each of them holds. */
  readonly storages: ReadonlyArray<Storage>
  /** For `index` steps: the merged axis. */
  readonly axes: ReadonlyArray<number>
  /** Steps that are stored, and whether only one value a row is. */
  readonly outputs: ReadonlyArray<{ readonly step: number; readonly perRow: boolean }>
  /** Rows of one unit; 0 when units are column ranges of `chunk`. */
  readonly rowsPerUnit: number
  readonly chunk: number
}

/** Which steps are needed, when, and which of them are one value a row. */
interface Schedule {
  /** Number of nested reductions below each step; -1 for what no output needs. */
  readonly level: ReadonlyArray<number>
  readonly perRow: ReadonlyArray<boolean>
  readonly walks: number
}

const schedule = ({ body, axes, strides, outer, outputs }: Shape): Schedule => {
  const level = reductionDepths(body)
  const needed = new Set(neededSteps(body, outputs.map((output) => output.step)))
  return {
    level: level.map((value, number) => needed.has(number) ? value : -1),
    perRow: perRowSteps(body, strides, axes, outer.length),
    walks: 1 + Math.max(...outputs.map((output) => level[output.step])),
  }
}

const write = (shape: Shape, context: KernelContext, { level, perRow, walks }: Schedule, kept: ReadonlySet<number>) => {
  const { body, outer, columns, strides, storages, axes, outputs, rowsPerUnit, chunk } = shape
  const { module, target } = context
  const rows = sizeOf(outer)
  const last = outer.length
  const inputs = strides.length - outputs.length
  const keptRow = 16 * Math.ceil(columns / 4)
  const busy = body.filter((_, number) => level[number] >= 0 && !perRow[number]).length
  const copies = columns < 32 ? 1 : busy <= 8 ? 4 : busy <= 20 ? 2 : 1
  const parameters = new Array(3 + strides.length).fill("i32" as const)
  return module.func("rows", parameters, [], (scope, begin, end, scratch, ...bases) => {
    const row = scope.local("i32"), rest = scope.local("i32")
    const place = scope.local("i32"), full = scope.local("i32"), stop = scope.local("i32")
    /** Whether this range of columns reaches the end of the row. */
    const atEnd = scope.local("i32")
    /** Local of each step for each copy of the unrolled loop. */
    const locals = Array.from({ length: copies }, () => new Array<number>(body.length).fill(-1))
    const accumulators = Array.from({ length: copies }, () => new Array<number>(body.length).fill(-1))
    body.forEach((step, number) => {
      if (level[number] < 0) return
      const shared = perRow[number] ? scope.local("v128") : -1
      locals.forEach((copy) => copy[number] = perRow[number] ? shared : scope.local("v128"))
      if (step.op === "reduce") accumulators.forEach((copy) => copy[number] = scope.local("v128"))
    })
    const keptPlace = new Map([...kept].map((number, i) => [number, i * keptRow]))

    // Addresses of the row.
    const indices = outer.map(() => scope.local("i32"))
    const pointers = strides.map((view, v) => outer.some((_, axis) => view[axis] !== 0) ? scope.local("i32") : bases[v])
    const enterRow: Array<Code> = outer.length === 1 ? [set(indices[0], get(row))] : [set(rest, get(row))]
    if (outer.length > 1) {
      for (let axis = outer.length - 1; axis > 0; axis--) {
        enterRow.push(set(indices[axis], i32.remU(get(rest), i32.const(outer[axis]))))
        enterRow.push(set(rest, i32.divU(get(rest), i32.const(outer[axis]))))
      }
      enterRow.push(set(indices[0], get(rest)))
    }
    strides.forEach((view, v) => {
      if (pointers[v] === bases[v]) return
      let address = get(bases[v])
      outer.forEach((_, axis) => {
        if (view[axis] === 0) return
        address = i32.add(address, i32.mul(get(indices[axis]), i32.const(bytesOf(storages[v]) * view[axis])))
      })
      enterRow.push(set(pointers[v], address))
    })

    const columnAddress = (v: number): Code => {
      const stride = strides[v][last]
      // `place` counts the bytes of f32.
      const bytes = storages[v] === "f32" ? get(place) : i32.shrU(get(place), i32.const(1))
      const offset = stride === 1 ? bytes : i32.mul(bytes, i32.const(stride))
      return stride === 0 ? get(pointers[v]) : i32.add(get(pointers[v]), offset)
    }
    /** Code of a step that is no reduction. */
    const evaluate = (number: number, copy: number, count: number): Code => {
      const step = body[number]
      switch (step.op) {
        case "load": {
          const { operand } = step, stride = strides[operand][last]
          const load = (address: Code, by: number, lanes: number, offset: number) =>
            loadStored(module, storages[operand], address, by, lanes, offset)
          return perRow[number]
            ? load(get(pointers[operand]), 0, 4, 0)
            : load(columnAddress(operand), stride, count, 4 * copy * stride)
        }
        case "constant":
          return step.dtype === "i32" ? i32x4.const(step.value) : f32x4.const(step.value)
        case "index":
          if (axes[step.axis] < 0) return i32x4.const(0)
          return perRow[number]
            ? i32x4.splat(get(indices[axes[step.axis]]))
            : i32x4.add(i32x4.splat(i32.shrU(get(place), i32.const(2))), lanesFrom(4 * copy))
        default:
          return elementwise(module, target, scope, body, number, locals[copy])
      }
    }

    const constants = body.flatMap((step, number) =>
      step.op === "constant" && level[number] >= 0 ? [set(locals[0][number], evaluate(number, 0, 4))] : []
    )
    /** Steps not per row that `roots` need; stops at what is kept from an earlier walk. */
    const stepsFor = (roots: ReadonlyArray<number>): Array<number> =>
      neededSteps(body, roots, (number) => ready.has(number) || perRow[number]).filter((number) => !perRow[number])
    const ready = new Set<number>()
    const walkRow: Array<Code> = []
    for (let walk = 0; walk < walks; walk++) {
      body.forEach((step, number) => {
        if (level[number] !== walk || !perRow[number] || step.op === "reduce" || step.op === "constant") return
        walkRow.push(set(locals[0][number], evaluate(number, 0, 4)))
      })
      const reductions = body.flatMap((step, number) =>
        step.op === "reduce" && level[number] === walk + 1 ? [number] : []
      )
      const stores = walk < walks - 1 ? [] : outputs.flatMap((output, o) => output.perRow ? [] : [o])
      const argument = (number: number) => (body[number] as Extract<Instruction, { op: "reduce" }>).args[0]
      const steps = stepsFor([...reductions.map(argument), ...stores.map((o) => outputs[o].step)])
      if (reductions.length === 0 && stores.length === 0) continue

      const evaluateCopy = (copy: number, count: number): Code => {
        const code: Array<Code> = steps.map((number) => {
          const keptAt = keptPlace.get(number)
          if (keptAt === undefined) return set(locals[copy][number], evaluate(number, copy, count))
          const address = i32.add(get(scratch), get(place)), offset = keptAt + 16 * copy
          return ready.has(number) ? set(locals[copy][number], v128.load(address, offset)) : [
            set(locals[copy][number], evaluate(number, copy, count)),
            v128.store(address, get(locals[copy][number]), offset),
          ]
        })
        for (const number of reductions) {
          const { kind, dtype } = body[number] as Extract<Instruction, { op: "reduce" }>
          const value = valueOf(body[argument(number)], locals[copy][argument(number)])
          const accumulator = accumulators[copy][number]
          const masked = count === 4 ? value : v128.bitselect(value, identity(kind, dtype), lanesBelow(count))
          code.push(set(accumulator, combine(kind, dtype, get(accumulator), masked)))
        }
        for (const o of stores) {
          const { step } = outputs[o], v = inputs + o, stride = strides[v][last]
          const value = valueOf(body[step], locals[copy][step])
          code.push(storeLanes(columnAddress(v), stride, count, 4 * copy * stride, value))
        }
        return code
      }
      for (const number of reductions) {
        const { kind, dtype } = body[number] as Extract<Instruction, { op: "reduce" }>
        accumulators.forEach((copy) => walkRow.push(set(copy[number], identity(kind, dtype))))
      }
      walkRow.push(walkColumns(evaluateCopy))
      for (const number of reductions) {
        const { kind, dtype } = body[number] as Extract<Instruction, { op: "reduce" }>
        const [first, ...others] = accumulators.map((copy) => copy[number])
        others.forEach((other) => walkRow.push(set(first, combine(kind, dtype, get(first), get(other)))))
        walkRow.push(combineLanes(kind, dtype, first), set(locals[0][number], get(first)))
      }
      steps.forEach((number) => kept.has(number) && ready.add(number))
    }
    outputs.forEach(({ step, perRow: single }, o) => {
      if (single) walkRow.push(storeLanes(get(pointers[inputs + o]), 1, 1, 0, valueOf(body[step], locals[0][step])))
    })

    /** Walks the columns from byte `place` to `stop`; whole vectors end at `full`. */
    function walkColumns(evaluateCopy: (copy: number, count: number) => Code): Code {
      const tail = columns % 4
      const code: Array<Code> = []
      if (rowsPerUnit > 0) {
        code.push(set(place, i32.const(0)))
        if (columns >= 4) code.push(set(full, i32.const(16 * Math.floor(columns / 4))))
      }
      if (copies > 1) {
        code.push(set(stop, i32.add(get(place), i32.and(i32.sub(get(full), get(place)), i32.const(-16 * copies)))))
        code.push(turns(stop, copies))
      }
      if (columns >= 4) code.push(turns(full, 1))
      if (tail > 0) {
        code.push(
          rowsPerUnit > 0 || columns < 4 ? evaluateCopy(0, tail) : when(get(atEnd), evaluateCopy(0, tail)),
        )
      }
      return code

      function turns(limit: number, unrolled: number): Code {
        const body = Array.from({ length: unrolled }, (_, copy) => evaluateCopy(copy, 4))
        return when(
          i32.ltU(get(place), get(limit)),
          loop(body, brIf(0, i32.ltU(tee(place, i32.add(get(place), i32.const(16 * unrolled))), get(limit)))),
        )
      }
    }

    if (rowsPerUnit > 0) {
      const lastRow = scope.local("i32")
      const limit = i32.mul(get(end), i32.const(rowsPerUnit))
      return [
        constants,
        set(lastRow, select(limit, i32.const(rows), i32.ltU(limit, i32.const(rows)))),
        forRange(row, i32.mul(get(begin), i32.const(rowsPerUnit)), get(lastRow), 1, enterRow, walkRow),
      ]
    }
    // Units are ranges of columns: `chunks` of them in each row.
    const chunks = Math.ceil(columns / chunk)
    const wholeBytes = 16 * Math.floor(columns / 4)
    const clamp = (bytes: Code) => select(bytes, i32.const(wholeBytes), i32.ltU(bytes, i32.const(wholeBytes)))
    if (rows === 1) {
      return [
        constants,
        set(row, i32.const(0)),
        set(place, i32.mul(get(begin), i32.const(4 * chunk))),
        set(full, clamp(i32.mul(get(end), i32.const(4 * chunk)))),
        set(atEnd, i32.eq(get(end), i32.const(chunks))),
        enterRow,
        when(i32.ltU(get(begin), get(end)), [walkRow]),
      ]
    }
    const unit = scope.local("i32")
    return [
      constants,
      forRange(unit, get(begin), get(end), 1, [
        set(row, i32.divU(get(unit), i32.const(chunks))),
        set(place, i32.mul(i32.remU(get(unit), i32.const(chunks)), i32.const(4 * chunk))),
        set(full, clamp(i32.add(get(place), i32.const(4 * chunk)))),
        set(atEnd, i32.geU(i32.add(get(place), i32.const(4 * chunk)), i32.const(4 * columns))),
        enterRow,
        walkRow,
      ]),
    ]
  })
}

const lanesFrom = (first: number): Code => v128.const(first, first + 1, first + 2, first + 3)
const lanesBelow = (count: number): Code => v128.const(-1, count > 1 ? -1 : 0, count > 2 ? -1 : 0, count > 3 ? -1 : 0)

/** Writes a `rows` call. */
export const emitRows: KernelEmitter<RowsCall> = (call, context): readonly Stage[] =>
  emitRowsAt(
    call,
    [...call.inputs, ...call.outputs.map((output) => output.view)].map(({ buffer, offset }) =>
      i32.add(context.address(buffer), i32.const(bytesOf(context.storage(buffer)) * offset))
    ),
    context,
  )

/**
 * Writes a `rows` call whose operands lie anywhere.
 *
 * @param addresses Byte address of the first element of each input's view, then of each output's.
 */
export const emitRowsAt = (call: RowsCall, addresses: readonly Code[], context: KernelContext): readonly Stage[] => {
  const { space, body } = call
  const last = space.length - 1
  const views = [...call.inputs, ...call.outputs.map((output) => output.view)]
  const strides = views.map((view) => view.strides)
  const storages = views.map(({ buffer }) => context.storage(buffer))
  const outputs = call.outputs.map(({ step, view }) => ({
    step,
    perRow: view.shape[last] === 1 && space[last] !== 1,
  }))
  const written = context.module.once(
    `rows of ${keyWith(body, [space, strides, storages, outputs])}`,
    () => rowsOf(body, space, strides, storages, outputs, context),
  )
  if (written === undefined) return []
  const { func, units, keptBytes } = written
  const scratch = keptBytes > 0 ? context.threadScratch(keptBytes) : i32.const(0)
  return [{ units, run: (begin, end) => callFunction(func, begin, end, scratch, ...addresses) }]
}

/** The function of a call, how many units it has, and what a thread keeps; undefined where there is nothing to do. */
const rowsOf = (
  body: ReadonlyArray<Instruction>,
  space: ReadonlyArray<number>,
  strides: ReadonlyArray<ReadonlyArray<number>>,
  storages: ReadonlyArray<Storage>,
  outputs: Shape["outputs"],
  context: KernelContext,
): { readonly func: number; readonly units: number; readonly keptBytes: number } | undefined => {
  const wholeRows = body.some((step) => step.op === "reduce") || outputs.some((output) => output.perRow)
  const alone = new Set(body.flatMap((step) => step.op === "index" ? [step.axis] : []))
  if (wholeRows) alone.add(space.length - 1)
  const merged = collapse(space, strides, alone)
  const outer = merged.space.slice(0, -1)
  const columns = merged.space.at(-1)!
  const rowCount = sizeOf(outer)
  if (outputs.length === 0 || rowCount === 0 || columns === 0 && !wholeRows) return undefined

  const work = body.reduce((sum, step) => sum + (isExpensive(step) ? 8 : 1), 0)
  const split = !wholeRows && (rowCount === 1 || rowCount < 32 && columns >= LONG_ROW)
  const chunk = 64 * itemsPerUnit(Math.ceil(columns / 64), 64 * work * rowCount)
  const shape: Shape = {
    body,
    outer,
    columns,
    strides: merged.strides,
    storages,
    axes: merged.axes,
    outputs,
    rowsPerUnit: split ? 0 : itemsPerUnit(rowCount, work * Math.max(1, columns)),
    chunk: split ? chunk : 0,
  }
  const order = schedule(shape)
  const expensive = body.flatMap((step, i) =>
    isExpensive(step) && order.level[i] >= 0 && order.level[i] < order.walks - 1 && !order.perRow[i] ? [i] : []
  )
  const keptBytes = 16 * Math.ceil(columns / 4) * expensive.length
  const kept = new Set(keptBytes <= KEPT_BYTES ? expensive : [])
  return {
    func: context.module.once(
      `rows ${keyWith(body, { ...shape, body: undefined })}`,
      () => write(shape, context, order, kept),
    ),
    units: split ? rowCount * Math.ceil(columns / chunk) : Math.ceil(rowCount / shape.rowsPerUnit),
    keptBytes: kept.size > 0 ? keptBytes : 0,
  }
}
