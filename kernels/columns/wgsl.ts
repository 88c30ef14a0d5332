/**
 * WGSL of `columns`: a workgroup has some columns, and for each of them some threads that share the reduced rows and
 * meet in workgroup memory. Where that gives few workgroups and the rows are many, they are cut into pieces (by the
 * shape alone) whose partial results a second dispatch combines in order.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps } from "../analysis.ts"
import { emitRows } from "../rows/wgsl.ts"
import { bodyWriter, type Lanes } from "../wgsl/body.ts"
import { entryPoint, fusedWalk, loadedOperands } from "../wgsl/fused.ts"
import { type Dispatch, type KernelContext, type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { coordinates, GROUP, sum, times, vectorViews, walk } from "../wgsl/places.ts"
import type { ColumnsCall } from "./call.ts"
import { mergeColumns } from "./merge.ts"

/** From how many workgroups on a device has enough to do, and fewest rows of a piece. */
const HARDWARE = [256, 128], SOFTWARE = [4, 1024]
/** Most pieces. */
const PIECES = 64

/** Writes a `columns` call. */
export const emitColumns: KernelEmitter<ColumnsCall> = (call, context) => {
  const { space, outerAxes, output, body, result } = call
  if (sizeOf(output.shape) === 0) return []
  if (new Set(call.inputs.map((view) => view.buffer)).size >= context.device.storageBindings) {
    // Too many buffers for one shader: the terms first, then their sums.
    const terms = { buffer: context.scratch(sizeOf(space)), offset: 0, shape: space, strides: stridesOf(space) }
    return [
      ...emitRows(
        { kernel: "rows", space, body, inputs: call.inputs, outputs: [{ step: result, view: terms }] },
        context,
      ),
      ...emitColumns(
        { ...call, body: [{ op: "load", operand: 0, dtype: body[result].dtype }], result: 0, inputs: [terms] },
        context,
      ),
    ]
  }
  const last = space.length - 1
  const rows = sizeOf(space.slice(outerAxes, last))
  const groups = sizeOf(space.slice(0, outerAxes)) * Math.ceil(space[last] / 128)
  const [enough, pieceRows] = context.device.software ? SOFTWARE : HARDWARE
  const pieces = Math.min(PIECES, Math.floor(rows / pieceRows), Math.ceil(enough / groups))
  if (pieces < 2 || body[result].dtype !== "f32") return [write(call, context, 1, output.buffer)]
  const partial = context.scratch(pieces * sizeOf(output.shape))
  const shape = [...space.slice(0, outerAxes), pieces, space[last]]
  return [
    write(call, context, pieces, partial),
    write(
      {
        kernel: "columns",
        space: shape,
        outerAxes,
        kind: call.kind,
        body: [{ op: "load", operand: 0, dtype: "f32" }],
        result: 0,
        inputs: [{ buffer: partial, offset: 0, shape, strides: stridesOf(shape) }],
        output,
      },
      context,
      1,
      output.buffer,
    ),
  ]
}

/** One dispatch. With several pieces, `target` holds [...outer, pieces, columns]. */
const write = (call: ColumnsCall, context: KernelContext, pieces: number, target: number): Dispatch => {
  const { space, outerAxes, kind, body, result, output } = call
  const columns = space.at(-1)!, cut = pieces > 1
  const packed = stridesOf([...space.slice(0, outerAxes), pieces, columns])
  const merged = mergeColumns(call, (cut ? packed : output.strides).slice(0, outerAxes))
  const { outer, reduced, strides, axes } = merged
  const outerNames = outer.map((_, axis) => `o${axis}`), rowNames = reduced.map((_, axis) => `r${axis}`)
  const names = [...outerNames, ...rowNames]
  const steps = neededSteps(body, [result])
  const perRow = perRowSteps(body, strides, axes, names.length)
  const { dtype } = body[result]
  const operands = [...loadedOperands(body, steps)].map(([number, dtype]) => ({
    ...call.inputs[number],
    number,
    writes: false,
    strides: strides[number],
    dtype,
  }))
  const stored = { buffer: target, offset: cut ? 0 : output.offset, dtype }
  const lastStride = cut ? 1 : output.strides[outerAxes]
  const vector = vectorViews(columns, [...operands, { ...stored, strides: [...merged.target, lastStride] }])
  const lanes: Lanes = vector[operands.length] ? 4 : 1
  const shader = context.shader()
  const { enter, surroundings } = fusedWalk(shader, operands, vector, lanes, names, axes)
  const store = walk(
    { ...stored, strides: cut ? [...merged.target, columns, 1] : [...merged.target, lastStride] },
    "to",
    cut ? [...outerNames, "piece"] : outerNames,
    lanes,
    vector[operands.length],
    (element) => shader.write(target, element),
  )
  const writer = bodyWriter(body, body.map((_, number) => perRow[number] ? 1 : lanes))

  // Threads: `wide` neighbouring columns, and `team` threads for each of them.
  const rows = sizeOf(reduced), units = columns / lanes
  const { team, wide } = teamOf(units * sizeOf(outer) * pieces, units, rows / pieces, context.device.software)
  const tiles = Math.ceil(units / wide), groups = sizeOf(outer) * pieces * tiles
  const { workgroups, number, exact } = lineOfWorkgroups(groups, context.device)
  const pieceRows = Math.ceil(rows / pieces)
  const main = [
    `let number = ${number};`,
    ...exact ? [] : [`if (number >= ${groups}u) { return; }`],
    `let tile = number % ${tiles}u;`,
    `let piece = number / ${tiles}u % ${pieces}u;`,
    ...coordinates(`(number / ${tiles * pieces}u)`, outer, outerNames),
    `let member = thread / ${wide}u;`,
    `let column = ${sum(times("tile", wide), `thread % ${wide}u`)};`,
    `let inside = column < ${units}u;`,
    `let end = ${cut ? `min((piece + 1u) * ${pieceRows}u, ${rows}u)` : `${rows}u`};`,
    `var total = ${writer.identity(kind, dtype, lanes)};`,
    "if (inside) {",
    `  for (var row = ${cut ? `piece * ${pieceRows}u + member` : "member"}; row < end; row += ${team}u) {`,
    ...[
      ...coordinates("row", reduced, rowNames),
      ...enter,
      ...steps.map((step) => writer.statement(step, surroundings)),
      `total = ${writer.combine(kind, dtype, lanes, "total", writer.value(result, lanes))};`,
    ].map((line) => `    ${line}`),
    "  }",
    "}",
  ]
  const parts = Array.from({ length: team }, (_, i) => `team_totals[${sum("thread", wide * i)}]`)
  const joined = team === 1 ? ["if (inside) {"] : [
    "team_totals[thread] = total;",
    "workgroupBarrier();",
    `if (member == 0u && inside) {`,
    `  total = ${parts.reduce((a, b) => writer.combine(kind, dtype, lanes, a, b))};`,
  ]
  const storing = [store.enter, store.store("column", "total")].flatMap((line) => line === "" ? [] : [`  ${line}`])
  const shared = team === 1
    ? ""
    : `var<workgroup> team_totals: array<${lanes === 4 ? "vec4<f32>" : dtype}, ${team * wide}>;\n`
  return shader.finish({
    label: `columns [${space}]${cut ? ` in ${pieces} pieces` : ""}`,
    workgroups,
    code: entryPoint(`${writer.declarations()}${shared}`, team * wide, [...main, ...joined, ...storing, "}"]),
  })
}

/** Threads that share a column, and columns of a workgroup. */
const teamOf = (walks: number, units: number, rows: number, software: boolean): { team: number; wide: number } => {
  if (rows < 16 || walks >= (software ? 32 : 65536)) return { team: 1, wide: 64 }
  const wide = Math.min(32, 2 ** Math.ceil(Math.log2(units)))
  return { team: Math.min(16, GROUP / wide), wide }
}
