/**
 * The factors of all tasks as PEFT's module has them: `prefix_task_cols` [tasks, tokens, ranks] and `prefix_task_rows`
 * [tasks, ranks, width], by task id. Here each task has its own parameters, which only its batches reach.
 * @module
 */
import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import type { Shape } from "../../core/tensor/shape.ts"
import type { FileTensor } from "../peft_format/mod.ts"

export const EMBEDDING = "embedding.weight"
export const COLUMNS = "prefix_task_cols"
export const ROWS = "prefix_task_rows"

/** Name of a task's factor. */
export function nameOf(factor: string, task: string): string {
  return `${factor}.${task}`
}

/** Our parameters in PEFT's tensor of a name, in its order. */
function partsOf<Part>(name: string, tasks: ReadonlyArray<string>, find: (name: string) => Part): ReadonlyArray<Part> {
  return name === EMBEDDING ? [find(name)] : tasks.map((task) => find(nameOf(name, task)))
}

/** Shapes of PEFT's tensors by name. */
export function peftShapes(tasks: ReadonlyArray<string>, own: ReadonlyArray<Parameter>): ReadonlyMap<string, Shape> {
  return new Map([EMBEDDING, COLUMNS, ROWS].map((name) => {
    const parts = partsOf(name, tasks, (wanted) => own.find(({ name }) => name === wanted)!)
    return [name, name === EMBEDDING ? parts[0].shape : [tasks.length, ...parts[0].shape]]
  }))
}

export function toPeft(
  tasks: ReadonlyArray<string>,
  own: ReadonlyArray<NamedValues>,
): ReadonlyMap<string, FileTensor> {
  const shapes = peftShapes(tasks, own.map(({ parameter }) => parameter))
  return new Map([...shapes].map(([name, shape]) => {
    const parts = partsOf(name, tasks, (wanted) => own.find(({ parameter }) => parameter.name === wanted)!.data)
    const data = new Float32Array(parts.length * parts[0].length)
    parts.forEach((part, i) => data.set(part, i * part.length))
    return [name, { shape, data }]
  }))
}

/** Values of a prompt's own parameters from PEFT's tensors. */
export function fromPeft(
  tasks: ReadonlyArray<string>,
  tensors: ReadonlyMap<string, FileTensor>,
  own: ReadonlyArray<Parameter>,
): ReadonlyArray<NamedValues> {
  return [EMBEDDING, COLUMNS, ROWS].flatMap((name) => {
    const parts = partsOf(name, tasks, (wanted) => own.find(({ name }) => name === wanted)!)
    const { data } = tensors.get(name)!
    const size = data.length / parts.length
    return parts.map((parameter, i) => ({ parameter, data: data.slice(i * size, (i + 1) * size) }))
  })
}
