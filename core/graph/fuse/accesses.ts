/**
 * Which views a call touches, as its kernel says.
 * @module
 */
import { kernelOf } from "../../../kernels/builtin.ts"
import type { Call, View } from "../../../kernels/contract.ts"
import type { Kernels, Use, Uses } from "../../../kernels/kernel.ts"

type Fields = Readonly<Record<string, unknown>>
type Change = (view: View, use: Use) => View

/** The fields that `uses` names, with each view changed. */
function changed(fields: Fields, uses: Uses, change: Change): Fields {
  const result: Record<string, unknown> = { ...fields }
  for (const name in uses) {
    const field = fields[name], use = uses[name]
    if (field === undefined) continue
    if (typeof use === "object") result[name] = changed(field as Fields, use, change)
    else if (Array.isArray(field)) {
      result[name] = field.map((one: View | { readonly view: View }) =>
        "view" in one ? { ...one, view: change(one.view, use) } : change(one, use)
      )
    } else result[name] = change(field as View, use)
  }
  return result
}

/** Adds the views of the fields that `uses` names. */
function collect(fields: Fields, uses: Uses, wanted: (use: Use) => boolean, views: View[]): void {
  for (const name in uses) {
    const field = fields[name], use = uses[name]
    if (field === undefined) continue
    if (typeof use === "object") collect(field as Fields, use, wanted, views)
    else if (!wanted(use)) continue
    else if (Array.isArray(field)) { for (const one of field) views.push("view" in one ? one.view : one) }
    else views.push(field as View)
  }
}

const viewsOf = (call: Call, own: Kernels | undefined, wanted: (use: Use) => boolean): ReadonlyArray<View> => {
  const views: View[] = []
  collect(call as unknown as Fields, kernelOf(call, own).views, wanted, views)
  return views
}

/** Views that a call reads. `own`: the kernels of its program that are not built in; here and below. */
export function readsOf(call: Call, own?: Kernels): ReadonlyArray<View> {
  return viewsOf(call, own, (use) => use !== "write")
}

/** Views that a call writes. */
export function writesOf(call: Call, own?: Kernels): ReadonlyArray<View> {
  return viewsOf(call, own, (use) => use === "write" || use === "read write")
}

/** A call with each of its views changed. */
export function mapViews(call: Call, change: Change, own?: Kernels): Call {
  return changed(call as unknown as Fields, kernelOf(call, own).views, change) as unknown as Call
}

/** Numbers of buffers; one may be in both lists (in place). */
export interface Accesses {
  readonly reads: ReadonlyArray<number>
  readonly writes: ReadonlyArray<number>
}

/** Buffers that a call reads and writes. */
export function accessesOf(call: Call, own?: Kernels): Accesses {
  const numbers = (views: ReadonlyArray<View>) => views.map((view) => view.buffer)
  return { reads: numbers(readsOf(call, own)), writes: numbers(writesOf(call, own)) }
}
