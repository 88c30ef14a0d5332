/**
 * WGSL of `columns`: a workgroup has some columns, and for each of them some threads that share the reduced rows and
 * meet in workgroup memory. Where that gives few workgroups and the rows are many, they are cut into pieces (by the
 * shape alone) whose partial results a second dispatch combines in order.
 * @module
 */
import { sizeOf, stridesOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps } from "../analysis.ts"
import { collapse } from "../collapse.ts"
import type { ColumnsCall } from "./call.ts"
import { emitRows } from "../rows/wgsl.ts"
import { bodyWriter, type Lanes } from "../wgsl/body.ts"
import { type Dispatch, type KernelContext, type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { coordinates, GROUP, PARAMETERS, sum, times, vectorViews, walk } from "../wgsl/places.ts"

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
  const { space, outerAxes, kind, body, result } = call
  const last = space.length - 1, columns = space[last]
  const kept = [...space.slice(0, outerAxes), pieces, columns], packed = stridesOf(kept)
  /** Strides of the output along [...outer, columns], and between pieces. */
  const outputStrides = pieces > 1 ? [...packed.slice(0, outerAxes), 1] : call.output.strides
  const indexed = new Set(body.flatMap((step) => step.op === "index" ? [step.axis] : []))
  const part = (from: number, to: number, views: ReadonlyArray<ReadonlyArray<number>>) =>
    collapse(
      space.slice(from, to),
      views.map((view) => view.slice(from, to)),
      new Set([...indexed].filter((axis) => axis >= from && axis < to).map((axis) => axis - from)),
    )
  const inputStrides = call.inputs.map((view) => view.strides)
  const outer = part(0, outerAxes, [...inputStrides, outputStrides]), reduced = part(outerAxes, last, inputStrides)
  const rows = sizeOf(reduced.space)
  const names = [...outer.space.map((_, axis) => `o${axis}`), ...reduced.space.map((_, axis) => `r${axis}`)]
  const axisOf = (axis: number): number => {
    if (axis === last) return names.length
    if (axis < outerAxes) return outer.axes[axis]
    const at = reduced.axes[axis - outerAxes]
    return at < 0 ? at : outer.space.length + at
  }
  const axes = space.map((_, axis) => axisOf(axis))
  const strides = call.inputs.map((view, v) => [...outer.strides[v], ...reduced.strides[v], view.strides[last]])
  const steps = neededSteps(body, [result])
  const perRow = perRowSteps(body, strides, axes, names.length)

  const { dtype } = body[result]
  const loads = new Map(steps.flatMap((number) => {
    const step = body[number]
    return step.op === "load" ? [[step.operand, step.dtype] as const] : []
  }))
  const used = [
    ...[...loads].map(([v, dtype]) => ({ ...call.inputs[v], strides: strides[v], dtype })),
    {
      buffer: target,
      offset: pieces > 1 ? 0 : call.output.offset,
      strides: [...outer.strides[call.inputs.length], outputStrides[outerAxes]],
      dtype,
    },
  ]
  const vector = vectorViews(columns, used)
  const lanes: Lanes = vector[loads.size] ? 4 : 1
  const units = columns / lanes
  const shader = context.shader()
  const walkers = new Map([...loads.keys()].map((v, i) => [
    v,
    walk(used[i], `base${v}`, names, lanes, vector[i], (element) => shader.read(call.inputs[v].buffer, element)),
  ]))
  const outerNames = names.slice(0, outer.space.length)
  const store = walk(
    pieces > 1
      ? { ...used[loads.size], strides: [...outer.strides[call.inputs.length], columns, 1] }
      : used[loads.size],
    "to",
    pieces > 1 ? [...outerNames, "piece"] : outerNames,
    lanes,
    vector[loads.size],
    (element) => shader.write(target, element),
  )
  const writer = bodyWriter(body, body.map((_, number) => perRow[number] ? 1 : lanes))
  const surroundings = {
    load: (operand: number) => {
      const walker = walkers.get(operand)!
      return strides[operand][names.length] === 0 ? walker.first() : walker.load("column")
    },
    index: (axis: number, own: Lanes) => {
      if (axes[axis] < 0) return "0i"
      if (axes[axis] < names.length) return `i32(${names[axes[axis]]})`
      return own === 1 ? "i32(column)" : "vec4<i32>(i32(column) * 4i) + vec4<i32>(0, 1, 2, 3)"
    },
  }

  // Threads: `wide` neighbouring columns, and `team` threads for each of them.
  const { team, wide } = teamOf(units * sizeOf(outer.space) * pieces, units, rows / pieces, context.device.software)
  const tiles = Math.ceil(units / wide)
  const { workgroups, number, exact } = lineOfWorkgroups(sizeOf(outer.space) * pieces * tiles, context.device)
  const pieceRows = Math.ceil(rows / pieces)
  const bits = writer.value(result, lanes)
  const main = [
    `let number = ${number};`,
    ...exact ? [] : [`if (number >= ${sizeOf(outer.space) * pieces * tiles}u) { return; }`],
    `let tile = number % ${tiles}u;`,
    `let piece = number / ${tiles}u % ${pieces}u;`,
    ...coordinates(`(number / ${tiles * pieces}u)`, outer.space, outerNames),
    `let member = thread / ${wide}u;`,
    `let column = ${sum(times("tile", wide), `thread % ${wide}u`)};`,
    `let inside = column < ${units}u;`,
    `let end = ${pieces > 1 ? `min((piece + 1u) * ${pieceRows}u, ${rows}u)` : `${rows}u`};`,
    `var total = ${writer.identity(kind, dtype, lanes)};`,
    "if (inside) {",
    `  for (var row = ${pieces > 1 ? `piece * ${pieceRows}u + member` : "member"}; row < end; row += ${team}u) {`,
    ...[
      ...coordinates("row", reduced.space, names.slice(outer.space.length)),
      ...[...walkers.values()].flatMap(({ enter }) => enter === "" ? [] : [enter]),
      ...steps.map((step) => writer.statement(step, surroundings)),
      `total = ${writer.combine(kind, dtype, lanes, "total", bits)};`,
    ].map((line) => `    ${line}`),
    "  }",
    "}",
  ]
  let shared = ""
  if (team > 1) {
    shared = `var<workgroup> team_totals: array<${lanes === 4 ? "vec4<f32>" : dtype}, ${team * wide}>;\n`
    const parts = Array.from({ length: team }, (_, i) => `team_totals[${sum("thread", wide * i)}]`)
    main.push(
      "team_totals[thread] = total;",
      "workgroupBarrier();",
      `if (member == 0u && inside) {`,
      `  total = ${parts.reduce((a, b) => writer.combine(kind, dtype, lanes, a, b))};`,
    )
  } else main.push("if (inside) {")
  main.push(...[store.enter, store.store("column", "total")].flatMap((line) => line === "" ? [] : [`  ${line}`]), "}")
  return shader.finish({
    label: `columns [${space}]${pieces > 1 ? ` in ${pieces} pieces` : ""}`,
    workgroups,
    code: `${writer.declarations()}${shared}@compute @workgroup_size(${team * wide})
fn main(${PARAMETERS}) {
${main.map((line) => `  ${line}`).join("\n")}
}
`,
  })
}

/** Threads that share a column, and columns of a workgroup. */
const teamOf = (walks: number, units: number, rows: number, software: boolean): { team: number; wide: number } => {
  if (rows < 16 || walks >= (software ? 32 : 65536)) return { team: 1, wide: 64 }
  const wide = Math.min(32, 2 ** Math.ceil(Math.log2(units)))
  return { team: Math.min(16, GROUP / wide), wide }
}
