/**
 * Product for CPUs that pose as a GPU: a workgroup is one vector of lanes, each lane has 8 columns of up to 16 rows.
 *
 * A load costs such a device as much as ten multiplications. So b is read once for all rows, in fours; eight terms of a
 * row of a are spread over the lanes by one load, and reach all lanes by a broadcast within the subgroup.
 * @module
 */
import type { Dispatch, KernelContext } from "../wgsl/kernel.ts"
import { type Layout, layoutOf, open, storeFour, type Task } from "./_wgsl_task.ts"

/** Terms of one turn of the loop. */
const DEPTH = 8
/** Fours of columns of one lane. */
const FOURS = 2
/** Columns of one lane. */
export const LANE_COLUMNS: number = 4 * FOURS

/** Shape of the tile. */
export interface BroadcastForm {
  /** Threads of a workgroup, which are one subgroup: 4 or 8. */
  readonly lanes: number
  /** Whether a is broadcast within the subgroup; else each term is loaded by all. */
  readonly subgroups: boolean
  /** Rows of a tile. */
  readonly rows: number
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Writes it. */
export const broadcastProduct = (
  task: Task,
  { lanes, subgroups, rows }: BroadcastForm,
  context: KernelContext,
): Dispatch => {
  const shader = context.shader()
  const layout: Layout = { ...layoutOf(task), a: "none" }
  const element = (fours: Layout["a"]) => fours === "none" ? "f32" : "vec4<f32>"
  const a = shader.read(task.buffers.a, "f32")
  const b = shader.read(task.buffers.b, element(layout.b))
  const output = shader.write(task.buffers.output, element(layout.output))
  const { workgroups, header, statements } = open(task, layout, rows, lanes * LANE_COLUMNS, shader, context)
  const line: Array<string> = [header(lanes), ...statements]

  for (const r of range(rows)) line.push(`let from${r} = a_at + min(row + ${r}u, m - 1u) * a_m;`)
  for (const q of range(FOURS)) {
    line.push(`let column${q} = column + (thread + ${q * lanes}u) * 4u;`)
    if (layout.b === "across") line.push(`let at${q} = b_at + min(column${q}, n - 4u) / 4u;`)
    else for (const j of range(4)) line.push(`let at${q}_${j} = b_at + min(column${q} + ${j}u, n - 1u) * b_n;`)
    for (const r of range(rows)) line.push(`var sum${r}_${q} = vec4<f32>();`)
  }

  /** Loads `x<u>_<q>`, fours of b, for so many terms from t on. */
  const loadB = (terms: number): void => {
    for (const q of range(FOURS)) {
      if (layout.b === "k") {
        for (const h of range(terms / 4)) {
          for (const j of range(4)) line.push(`let y${h}_${q}_${j} = ${b.load(`at${q}_${j} + t / 4u + ${h}u`)};`)
          for (const u of range(4)) {
            line.push(`let x${4 * h + u}_${q} = vec4<f32>(${range(4).map((j) => `y${h}_${q}_${j}[${u}]`).join(", ")});`)
          }
        }
      } else {
        for (const u of range(terms)) {
          const value = layout.b === "across"
            ? b.load(`at${q} + (t + ${u}u) * b_k`)
            : `vec4<f32>(${range(4).map((j) => b.load(`at${q}_${j} + (t + ${u}u) * b_k`)).join(", ")})`
          line.push(`let x${u}_${q} = ${value};`)
        }
      }
    }
  }
  const accumulate = (terms: number, term: (row: number, u: number) => string): void => {
    for (const r of range(rows)) {
      for (const u of range(terms)) line.push(`let w${r}_${u} = ${term(r, u)};`)
      for (const q of range(FOURS)) {
        for (const u of range(terms)) line.push(`sum${r}_${q} += w${r}_${u} * x${u}_${q};`)
      }
    }
  }
  const alone = (r: number, u: number) => a.load(`from${r} + (t + ${u}u) * a_k`)

  line.push(`var t = begin;`, `for (; t + ${DEPTH}u <= end; t += ${DEPTH}u) {`)
  loadB(DEPTH)
  if (subgroups) {
    for (const r of range(rows)) {
      for (const h of range(DEPTH / lanes)) {
        line.push(`let s${r}_${h} = ${a.load(`from${r} + (t + ${h * lanes}u + thread) * a_k`)};`)
      }
    }
    accumulate(DEPTH, (r, u) => `subgroupBroadcast(s${r}_${Math.floor(u / lanes)}, ${u % lanes}u)`)
  } else accumulate(DEPTH, alone)
  const rest = layout.b === "k" ? 4 : 1
  line.push(`}`, `for (; t < end; t += ${rest}u) {`)
  loadB(rest)
  accumulate(rest, alone)
  line.push(`}`)
  for (const r of range(rows)) {
    for (const q of range(FOURS)) line.push(storeFour(layout, output, `row + ${r}u`, `column${q}`, `sum${r}_${q}`))
  }
  line.push(`}`)
  return shader.finish({
    label: `matmul ${task.m}x${task.k}x${task.n}`,
    code: line.join("\n"),
    workgroups,
    enable: subgroups ? ["subgroups"] : [],
  })
}
