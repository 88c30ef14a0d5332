/**
 * A prefix's parameters as PEFT's module has them: keys and values of all layers are one tensor there, layer by layer,
 * keys first.
 * @module
 */
import type { NamedValues } from "../../core/contracts/contribution.ts"
import type { Parameter } from "../../core/contracts/parameter.ts"
import type { Shape } from "../../core/tensor/shape.ts"
import { type FileTensor, linearRows } from "../peft_format/mod.ts"

/** Names of parameters that are parts of PEFT's embedding, or of its last product; shared ones have a number before. */
const PART = /^(?:\d+\.)?(?:keys|values)(?:\.(weight|bias))?$/

/** One of PEFT's tensors, of which our parameters are columns (of the embedding) or rows (of a product). */
interface Whole {
  readonly name: string
  readonly parts: Parameter[]
}

function wholes(own: ReadonlyArray<Parameter>): ReadonlyArray<Whole> {
  const all = new Map<string, Whole>()
  for (const parameter of own) {
    const { name } = parameter
    const part = PART.exec(name)
    const whole = part === null ? name : part[1] === undefined ? "embedding.weight" : `transform.2.${part[1]}`
    const parts = all.get(whole)?.parts ?? []
    parts.push(parameter)
    all.set(whole, { name: whole, parts })
  }
  return [...all.values()]
}

/** Parts of the embedding lie side by side. */
const sideBySide = ({ name, parts }: Whole): boolean => name === "embedding.weight" && parts.length > 1

function shapeOf(whole: Whole): Shape {
  const axis = sideBySide(whole) ? 1 : 0
  const [first] = whole.parts
  const extent = whole.parts.reduce((sum, { shape }) => sum + shape[axis], 0)
  return first.shape.map((own, at) => at === axis ? extent : own)
}

/** Shapes of PEFT's tensors by name, for a prefix's own parameters in the model's order. */
export function peftShapes(own: ReadonlyArray<Parameter>): ReadonlyMap<string, Shape> {
  return new Map(wholes(own).map((whole) => [whole.name, shapeOf(whole)]))
}

export function toPeft(own: ReadonlyArray<NamedValues>): ReadonlyMap<string, FileTensor> {
  const values = new Map(own.map(({ parameter, data }) => [parameter, data]))
  return new Map(
    wholes(own.map(({ parameter }) => parameter)).map((whole) => {
      const shape = shapeOf(whole)
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
      copyParts(whole, shape, (part, from, at, count) => data.set(values.get(part)!.subarray(from, from + count), at))
      return [whole.name, { shape, data }]
    }),
  )
}

/** Values of a prefix's own parameters from PEFT's tensors. */
export function fromPeft(
  tensors: ReadonlyMap<string, FileTensor>,
  own: ReadonlyArray<Parameter>,
): ReadonlyArray<NamedValues> {
  const values = new Map(
    own.map((parameter) => [parameter, new Float32Array(parameter.shape.reduce((a, b) => a * b, 1))]),
  )
  for (const whole of wholes(own)) {
    const { shape, data } = tensors.get(whole.name)!
    copyParts(whole, shape, (part, from, at, count) => values.get(part)!.set(data.subarray(at, at + count), from))
  }
  return own.map((parameter) => ({ parameter, data: values.get(parameter)! }))
}

/** Runs of numbers that a part and the whole have in common: `count` from `from` in the part, from `at` in the whole. */
function copyParts(
  whole: Whole,
  [rows, columns = 1]: Shape,
  copy: (part: Parameter, from: number, at: number, count: number) => void,
): void {
  let start = 0
  for (const part of whole.parts) {
    const [height, width = 1] = part.shape
    if (sideBySide(whole)) {
      for (let row = 0; row < rows; row++) copy(part, row * width, row * columns + start, width)
    } else copy(part, 0, start * columns, height * width)
    start += sideBySide(whole) ? width : height
  }
}

/** What PEFT saves: the embedding itself, or W2 tanh(W1 E + b1) + b2, in float64. */
export function promptEmbeddings(tensors: ReadonlyMap<string, FileTensor>): FileTensor {
  const get = (name: string) => tensors.get(name)!
  const embedding = get("embedding.weight")
  if (!tensors.has("transform.0.weight")) return embedding
  const rows = embedding.shape[0]
  const hidden = linearRows(Float64Array.from(embedding.data), rows, get("transform.0.weight"), get("transform.0.bias"))
  const out = linearRows(hidden.map(Math.tanh), rows, get("transform.2.weight"), get("transform.2.bias"))
  return { shape: [rows, out.length / rows], data: Float32Array.from(out) }
}
