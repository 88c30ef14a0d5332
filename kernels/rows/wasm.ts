/**
 * WebAssembly of `rows`: one fused function a call, four columns at a time.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps, reductionDepths } from "../analysis.ts"
import { collapse, keyWith } from "../collapse.ts"
import type { Instruction } from "../contract.ts"
import type { Encoding } from "../encoding.ts"
import { call as callFunction, type Code, i32 } from "../wasm/assembler.ts"
import { isExpensive } from "../wasm/body.ts"
import { itemsPerUnit, type KernelContext, type KernelEmitter, type Stage } from "../wasm/kernel.ts"
import { firstElement } from "../wasm/lanes.ts"
import type { RowsCall } from "./call.ts"
import { rowFunction, type RowsShape } from "./wasm/row_function.ts"

/** Rows longer than this are worth splitting if there are few of them. */
const LONG_ROW = 4096
/** Expensive values are kept only while a row of them fits the nearer caches. */
const KEPT_BYTES = 1 << 18

/** Writes a `rows` call. */
export const emitRows: KernelEmitter<RowsCall> = (call, context): readonly Stage[] =>
  emitRowsAt(
    call,
    [...call.inputs, ...call.outputs.map(({ view }) => view)].map((view) => firstElement(context, view)),
    context,
  )

/**
 * Writes a `rows` call with operands at any addresses.
 *
 * @param addresses Byte address of the first element of each input's view, then of each output's.
 */
export const emitRowsAt = (call: RowsCall, addresses: readonly Code[], context: KernelContext): readonly Stage[] => {
  const { space, body } = call
  const last = space.length - 1
  const views = [...call.inputs, ...call.outputs.map((output) => output.view)]
  const strides = views.map((view) => view.strides)
  const encodings = views.map(({ buffer }) => context.encoding(buffer))
  const outputs = call.outputs.map(({ step, view }) => ({
    step,
    perRow: view.shape[last] === 1 && space[last] !== 1,
  }))
  const written = context.module.once(
    `rows of ${keyWith(body, [space, strides, encodings.map(({ name }) => name), outputs])}`,
    () => rowsOf(body, space, strides, encodings, outputs, context),
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
  encodings: ReadonlyArray<Encoding>,
  outputs: RowsShape["outputs"],
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
  const shape: RowsShape = {
    body,
    outer,
    columns,
    strides: merged.strides,
    encodings,
    axes: merged.axes,
    outputs,
    rowsPerUnit: split ? 0 : itemsPerUnit(rowCount, work * Math.max(1, columns)),
    chunk: split ? chunk : 0,
  }
  const level = reductionDepths(body)
  const needed = new Set(neededSteps(body, outputs.map(({ step }) => step)))
  const perRow = perRowSteps(body, merged.strides, merged.axes, outer.length)
  const walks = 1 + Math.max(...outputs.map(({ step }) => level[step]))
  const expensive = body.flatMap((step, i) =>
    isExpensive(step) && needed.has(i) && level[i] < walks - 1 && !perRow[i] ? [i] : []
  )
  const keptBytes = 16 * Math.ceil(columns / 4) * expensive.length
  const kept = new Set(keptBytes <= KEPT_BYTES ? expensive : [])
  const schedule = { level: level.map((depth, i) => needed.has(i) ? depth : -1), perRow, walks, kept }
  return {
    func: context.module.once(
      `rows ${keyWith(body, { ...shape, body: undefined })}`,
      () => rowFunction(shape, context, schedule),
    ),
    units: split ? rowCount * Math.ceil(columns / chunk) : Math.ceil(rowCount / shape.rowsPerUnit),
    keptBytes: kept.size > 0 ? keptBytes : 0,
  }
}
