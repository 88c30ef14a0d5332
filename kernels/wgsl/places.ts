/**
 * Addresses as WGSL: coordinates of an index, addresses in a view, four neighbours at a time.
 * @module
 */
import type { DType } from "../contract.ts"
import { type Lanes, typeName } from "./body.ts"
import {
  type DeviceTraits,
  type Dispatch,
  type Element,
  lineOfWorkgroups,
  type Operand,
  type Shader,
} from "./kernel.ts"

/** Threads of a workgroup whose invocations have nothing to do with each other. */
export const GROUP = 256

/** Parameters of every entry point: `group` is the workgroup's number along each axis, `thread` the invocation in it. */
export const PARAMETERS = "@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32"

/** A dispatch whose invocations run statements for one number each, `place`, from 0 to `count` - 1. */
export const perPlace = (
  shader: Shader,
  device: DeviceTraits,
  label: string,
  count: number,
  body: ReadonlyArray<string>,
): Dispatch => {
  const { workgroups, number } = lineOfWorkgroups(Math.ceil(count / GROUP), device)
  const code = `@compute @workgroup_size(${GROUP})
fn main(${PARAMETERS}) {
  let place = ${number} * ${GROUP}u + thread;
  if (place >= ${count}u) { return; }
${body.map((line) => `  ${line}`).join("\n")}
}
`
  return shader.finish({ label, code, workgroups })
}

/** A sum of u32 terms; what is not there counts nothing. */
export const sum = (...terms: ReadonlyArray<string | number>): string => {
  const text = terms.filter((term) => term !== 0 && term !== "").map((term) =>
    typeof term === "number" ? `${term >>> 0}u` : term
  )
  return text.length === 0 ? "0u" : text.join(" + ")
}

/** A multiple of a u32 name; negative ones wrap. */
export const times = (name: string, factor: number): string =>
  factor === 0 ? "" : factor === 1 ? name : `${name} * ${factor >>> 0}u`

/** Address in a view: `offset` plus each named coordinate times its stride. */
export const address = (
  offset: number,
  names: ReadonlyArray<string>,
  strides: ReadonlyArray<number>,
): string => sum(...names.map((name, axis) => times(name, strides[axis])), offset)

/** Statements that split the number `from` (u32) into the coordinates `names`, the last axis fastest. */
export const coordinates = (
  from: string,
  extents: ReadonlyArray<number>,
  names: ReadonlyArray<string>,
): ReadonlyArray<string> => {
  const statements: string[] = []
  let rest = from
  for (let axis = extents.length - 1; axis > 0; axis--) {
    statements.push(`let ${names[axis]} = ${rest} % ${extents[axis]}u;`)
    statements.push(`let ${names[axis]}_rest = ${rest} / ${extents[axis]}u;`)
    rest = `${names[axis]}_rest`
  }
  if (extents.length > 0) statements.push(`let ${names[0]} = ${rest};`)
  return statements
}

/** A view whose last axis is walked by the code. */
export interface WalkedView {
  /** Number of the buffer. */
  readonly buffer: number
  /** First element. */
  readonly offset: number
  /** Strides along the merged axes, the row last. */
  readonly strides: ReadonlyArray<number>
  /** What the code takes the elements for. */
  readonly dtype: DType
}

/**
 * Which views may be bound as `vec4<f32>`: neighbours that begin at multiples of four, and nothing else of the same
 * buffer. None, if a row has no whole number of fours.
 */
export const vectorViews = (columns: number, views: ReadonlyArray<WalkedView>): ReadonlyArray<boolean> => {
  const aligned = views.map(({ offset, strides, dtype }) =>
    columns % 4 === 0 && columns > 0 && dtype === "f32" && strides.at(-1) === 1 &&
    [offset, ...strides.slice(0, -1)].every((distance) => distance % 4 === 0)
  )
  const scalar = new Set(views.flatMap(({ buffer }, v) => aligned[v] ? [] : [buffer]))
  return views.map(({ buffer }) => !scalar.has(buffer))
}

/** Elements of one view along a row. `column` counts places, or fours of them. */
export interface Walker {
  /** Statement that finds the row `base`; empty if all rows begin at the first element. */
  readonly enter: string
  /** Expression of the element of the row's first place. */
  readonly first: () => string
  /** Expression of the element or elements at `column`. */
  readonly load: (column: string) => string
  /** Statement that stores them. */
  readonly store: (column: string, value: string) => string
  /** Statement that stores the row's first place. */
  readonly storeFirst: (value: string) => string
}

/**
 * Begins to walk a view.
 *
 * @param base Name that the row's address gets.
 * @param names Names of the coordinates of the row.
 * @param bind Asks the shader for the buffer.
 */
export const walk = (
  { offset, strides, dtype }: WalkedView,
  base: string,
  names: ReadonlyArray<string>,
  lanes: Lanes,
  vector: boolean,
  bind: (element: Element) => Operand,
): Walker => {
  const stride = strides[names.length]
  const operand = bind(vector && lanes === 4 ? "vec4<f32>" : dtype)
  const unit = vector && lanes === 4 ? 4 : 1
  const moves = names.some((_, axis) => strides[axis] !== 0)
  const start = moves ? base : offset / unit
  const at = (column: string, lane: number): string =>
    unit === 4 ? sum(start, column) : sum(start, times(column, lanes * stride), (lane * stride) >>> 0)
  const fours = [0, 1, 2, 3]
  return {
    enter: moves ? `let ${base} = ${address(offset / unit, names, strides.map((by) => by / unit))};` : "",
    first: () => operand.load(sum(start)),
    load: (column) =>
      unit === 4 || lanes === 1
        ? operand.load(at(column, 0))
        : `${typeName(dtype, 4)}(${fours.map((lane) => operand.load(at(column, lane))).join(", ")})`,
    store: (column, value) =>
      unit === 4 || lanes === 1
        ? operand.store(at(column, 0), value)
        : fours.map((lane) => operand.store(at(column, lane), `${value}[${lane}]`)).join(" "),
    storeFirst: (value) => operand.store(sum(start), value),
  }
}
