/**
 * WGSL of `rows`: one shader a call.
 *
 * Without reductions each invocation has one place, or four neighbours. With them a team of threads shares a row and
 * walks it once for each nesting depth of reductions, meeting in workgroup memory; a team may be one thread. What is the
 * same for the whole row is computed once a thread, the rest again in each walk. All outputs are stored in the last
 * walk, each place by the thread that read it, so that an output in place of an input spoils nothing.
 * @module
 */
import { sizeOf } from "../../core/tensor/shape.ts"
import { neededSteps, perRowSteps, reductionDepths } from "../analysis.ts"
import { collapse } from "../collapse.ts"
import type { Instruction } from "../contract.ts"
import type { RowsCall } from "./call.ts"
import { type BodyWriter, bodyWriter, type Lanes, type Surroundings, typeName } from "../wgsl/body.ts"
import { type DeviceTraits, type KernelContext, type KernelEmitter, lineOfWorkgroups } from "../wgsl/kernel.ts"
import { coordinates, GROUP, sum, times, vectorViews, type Walker } from "../wgsl/places.ts"
import { entryPoint, fusedWalk, loadedOperands } from "../wgsl/fused.ts"
import { cutLongRows } from "./cut.ts"
import { fitBindings } from "./fit_bindings.ts"

type Reduction = Extract<Instruction, { op: "reduce" }>

/** The call with merged axes, about to be written. */
interface Task {
  readonly call: RowsCall
  readonly context: KernelContext
  readonly rows: number
  /** Places of a row, or fours of them. */
  readonly units: number
  readonly lanes: Lanes
  readonly needed: ReadonlyArray<number>
  readonly perRow: ReadonlyArray<boolean>
  /** Statements that turn `row` into coordinates and addresses. */
  readonly enterRow: ReadonlyArray<string>
  readonly writer: BodyWriter
  /** What statements find at `column`. */
  readonly surroundings: Surroundings
  readonly outputs: ReadonlyArray<{ readonly step: number; readonly perRow: boolean; readonly walker: Walker }>
  readonly finish: (
    workgroups: readonly [number, number, number],
    threads: number,
    declarations: string,
    main: ReadonlyArray<string>,
  ) => ReturnType<ReturnType<KernelContext["shader"]>["finish"]>
}

/** Writes a `rows` call. */
export const emitRows: KernelEmitter<RowsCall> = (call, context) =>
  fitBindings(call, context.device.storageBindings, context.scratch)
    .flatMap((part) => (context.device.software ? undefined : cutLongRows(part, context.scratch)) ?? [part])
    .flatMap((part) => emitWhole(part, context))

const emitWhole: KernelEmitter<RowsCall> = (call, context) => {
  const { space, body } = call
  const last = space.length - 1
  const single = call.outputs.map(({ view }) => view.shape[last] === 1 && space[last] !== 1)
  const wholeRows = body.some((step) => step.op === "reduce") || single.includes(true)
  const alone = new Set(body.flatMap((step) => step.op === "index" ? [step.axis] : []))
  if (wholeRows) alone.add(last)
  const views = [...call.inputs, ...call.outputs.map(({ view }) => view)]
  const { space: merged, strides, axes } = collapse(space, views.map((view) => view.strides), alone)
  const outer = merged.slice(0, -1), columns = merged.at(-1)!
  const rows = sizeOf(outer)
  if (call.outputs.length === 0 || rows === 0 || columns === 0 && !wholeRows) return []

  const needed = neededSteps(body, call.outputs.map(({ step }) => step))
  const perRow = perRowSteps(body, strides, axes, outer.length)
  const inputs = call.inputs.length
  const types = [
    ...loadedOperands(body, needed),
    ...call.outputs.map(({ step }, o) => [inputs + o, body[step].dtype] as const),
  ]
  const operands = types.map(([number, dtype]) => {
    const { buffer, offset } = views[number], writes = number >= inputs
    // What has one value a row is never walked.
    const along = single[number - inputs] ? [...strides[number].slice(0, -1), 0] : strides[number]
    return { number, writes, buffer, offset, strides: along, dtype }
  })
  const full = operands.flatMap(({ number, writes }, i) => writes && !single[number - inputs] ? [i] : [])
  const shader = context.shader()
  const names = outer.map((_, axis) => `i${axis}`)
  const vector = vectorViews(columns, operands)
  const lanes: Lanes = (full.length > 0 ? full.every((i) => vector[i]) : vector.includes(true)) ? 4 : 1
  const { walkers, enter, surroundings } = fusedWalk(shader, operands, vector, lanes, names, axes)
  const writer = bodyWriter(body, body.map((_, number) => perRow[number] ? 1 : lanes))
  const task: Task = {
    call,
    context,
    rows,
    units: columns / lanes,
    lanes,
    needed,
    perRow,
    enterRow: [...coordinates("row", outer, names), ...enter],
    writer,
    surroundings,
    outputs: call.outputs.map(({ step }, o) => ({ step, perRow: single[o], walker: walkers.get(inputs + o)! })),
    finish: (workgroups, threads, declarations, main) =>
      shader.finish({
        label: `rows [${space}]`,
        workgroups,
        code: entryPoint(`${writer.declarations()}${declarations}`, threads, main),
      }),
  }
  return [wholeRows ? writeTeams(task) : writePlaces(task)]
}

/** Each invocation has one place of its own. */
const writePlaces = (
  { context, rows, units, lanes, needed, enterRow, writer, surroundings, outputs, finish }: Task,
) => {
  const count = rows * units
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(count / GROUP), context.device)
  return finish(workgroups, GROUP, "", [
    `let place = ${number} * ${GROUP}u + thread;`,
    `if (place >= ${count}u) { return; }`,
    ...enterRow.length === 0 ? ["let column = place;"] : [
      `let column = place % ${units}u;`,
      `let row = place / ${units}u;`,
      ...enterRow,
    ],
    ...needed.map((step) => writer.statement(step, surroundings)),
    ...outputs.map(({ step, walker }) => walker.store("column", writer.value(step, lanes))),
  ])
}

/** Threads that share a row, and rows of a workgroup. */
const teamOf = (rows: number, units: number, { software }: DeviceTraits): { team: number; teams: number } => {
  if (units === 0 || (software ? rows >= 64 || units <= 64 : units <= 16)) return { team: 1, teams: 64 }
  if (units <= 512 && rows >= 64) return { team: 32, teams: 4 }
  return { team: 256, teams: 1 }
}

/** Teams of threads share rows. */
const writeTeams = (task: Task) => {
  const { call: { body }, context, rows, units, lanes, needed, perRow, enterRow, writer, surroundings, outputs } = task
  const { team, teams } = teamOf(rows, units, context.device)
  const groups = Math.ceil(rows / teams)
  const { workgroups, number } = lineOfWorkgroups(groups, context.device)
  const certain = workgroups[0] * workgroups[1] * teams === rows
  const depths = reductionDepths(body)
  const deepest = Math.max(...needed.map((step) => depths[step]))
  const reductions = needed.filter((step) => body[step].op === "reduce")
  /** Threads that combine a team's results before all of them do. */
  const few = team <= 8 ? team : team >= 128 ? 16 : 8
  let declarations = ""
  const main = [
    ...team === 1 ? [] : [`let lane = thread % ${team}u;`, "let first = thread - lane;"],
    `let wanted = ${sum(times(number, teams), team === 1 ? "thread" : teams === 1 ? "" : `thread / ${team}u`)};`,
    ...certain ? ["let row = wanted;"] : [`let mine = wanted < ${rows}u;`, `let row = min(wanted, ${rows - 1}u);`],
    ...enterRow,
  ]
  const only = (condition: string, statements: string): string => {
    const all = [condition, certain ? "" : "mine"].filter((part) => part !== "").join(" && ")
    return all === "" ? statements : `if (${all}) { ${statements} }`
  }
  const columnLoop = (statements: ReadonlyArray<string>): ReadonlyArray<string> => [
    team === 1
      ? `for (var column = 0u; column < ${units}u; column++) {`
      : units <= team
      ? `if (lane < ${units}u) { let column = lane;`
      : `for (var column = lane; column < ${units}u; column += ${team}u) {`,
    ...statements.map((line) => `  ${line}`),
    "}",
  ]
  for (let depth = 0; depth <= deepest; depth++) {
    for (const step of needed) {
      if (depths[step] === depth && perRow[step] && body[step].op !== "reduce") {
        main.push(writer.statement(step, surroundings))
      }
    }
    const ending = reductions.filter((step) => depths[step] === depth + 1)
    const stored = depth < deepest ? [] : outputs.filter((output) => !output.perRow)
    const roots = [...ending.map((step) => (body[step] as Reduction).args[0]), ...stored.map(({ step }) => step)]
    if (roots.length === 0) continue
    const steps = neededSteps(body, roots, (step) => perRow[step]).filter((step) => !perRow[step])
    for (const step of ending) {
      const { kind, dtype } = body[step] as Reduction
      main.push(`var sum${step} = ${writer.identity(kind, dtype, lanes)};`)
    }
    main.push(...columnLoop([
      ...steps.map((step) => writer.statement(step, surroundings)),
      ...ending.map((step) => {
        const { kind, dtype, args: [argument] } = body[step] as Reduction
        return `sum${step} = ${writer.combine(kind, dtype, lanes, `sum${step}`, writer.value(argument, lanes))};`
      }),
      ...stored.map(({ step, walker }) => only("", walker.store("column", writer.value(step, lanes)))),
    ]))
    const mine = (step: number) => {
      const { kind, dtype } = body[step] as Reduction
      return writer.combineLanes(kind, dtype, lanes, `sum${step}`)
    }
    const joined = (step: number, elements: ReadonlyArray<string>) => {
      const { kind, dtype } = body[step] as Reduction
      return elements.reduce((a, b) => writer.combine(kind, dtype, 1, a, b))
    }
    const range = (count: number) => Array.from({ length: count }, (_, i) => i)
    if (ending.length > 0 && team > 1) {
      for (const step of ending) {
        const type = typeName(body[step].dtype, 1)
        declarations += `var<workgroup> each${step}: array<${type}, ${team * teams}>;\n`
        if (few < team) declarations += `var<workgroup> few${step}: array<${type}, ${few * teams}>;\n`
        main.push(`each${step}[thread] = ${mine(step)};`)
      }
      main.push("workgroupBarrier();")
      if (few < team) {
        main.push(`if (lane < ${few}u) {`)
        for (const step of ending) {
          const parts = range(team / few).map((i) => `each${step}[${sum("thread", few * i)}]`)
          main.push(
            `  few${step}[${sum(teams === 1 ? 0 : `first / ${team / few}u`, "lane")}] = ${joined(step, parts)};`,
          )
        }
        main.push("}", "workgroupBarrier();")
      }
    }
    for (const step of ending) {
      const from = few < team ? `few${step}` : `each${step}`
      const start = few < team ? teams === 1 ? 0 : `first / ${team / few}u` : "first"
      const parts = range(few).map((i) => `${from}[${sum(start, i)}]`)
      main.push(`let v${step} = ${team === 1 ? mine(step) : joined(step, parts)};`)
    }
  }
  const single = outputs.filter((output) => output.perRow)
  if (single.length > 0) {
    // Others of the team may still have to read what is stored over.
    if (team > 1) main.push("workgroupBarrier();")
    main.push(
      only(
        team > 1 ? "lane == 0u" : "",
        single.map(({ step, walker }) => walker.storeFirst(writer.value(step, 1))).join(" "),
      ),
    )
  }
  return task.finish(workgroups, team * teams, declarations, main)
}
