/**
 * Adapters that start from the base weight, as plain ones for the unchanged base: B A - B0 A0 is one product of rank 2 r,
 * [B, -B0] [A; A0]. PEFT's `path_initial_model_for_weight_conversion` writes the same.
 * @module
 */
import type { NamedValues } from "../../../core/contracts/contribution.ts"
import type { Parameter } from "../../../core/contracts/parameter.ts"
import { A, B, INITIAL_A, INITIAL_B } from "../low_rank.ts"
import type { ResolvedOptions } from "../options.ts"

const INITIAL: Readonly<Record<string, string>> = { [A]: INITIAL_A, [B]: INITIAL_B }

/** Options of the plain adapter: the same scale at twice the rank. */
export function doubled(options: ResolvedOptions): ResolvedOptions {
  const times = (factor: number, pattern: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, factor * value]))
  const more = options.useRslora ? Math.SQRT2 : 2
  return {
    ...options,
    r: 2 * options.r,
    loraAlpha: more * options.loraAlpha,
    rankPattern: times(2, options.rankPattern),
    alphaPattern: times(more, options.alphaPattern),
    initLoraWeights: true,
  }
}

/** The plain adapter's parameters; all but A and B stay as they are. */
export function doubledParameters(parameters: ReadonlyArray<Parameter>): ReadonlyArray<Parameter> {
  return parameters.filter(({ name }) => name !== INITIAL_A && name !== INITIAL_B).map((parameter) => {
    const { owner, name, shape: [rows, columns] } = parameter
    if (owner === "base" || INITIAL[name] === undefined) return parameter
    return { ...parameter, shape: name === A ? [2 * rows, columns] : [rows, 2 * columns] }
  })
}

/** The plain adapter's values. */
export function joined(values: ReadonlyArray<NamedValues>): ReadonlyArray<NamedValues> {
  const byKey = new Map(values.map(({ parameter, data }) => [parameter.key, data]))
  const parameters = doubledParameters(values.map(({ parameter }) => parameter))
  return parameters.map((parameter) => {
    const own = byKey.get(parameter.key)!
    const initial = byKey.get(initialKey(parameter))
    if (initial === undefined) return { parameter, data: own }
    const { rows, width, sign } = halves(parameter)
    const data = new Float32Array(2 * own.length)
    for (let row = 0; row < rows; row++) {
      data.set(own.subarray(row * width, (row + 1) * width), 2 * row * width)
      const other = initial.subarray(row * width, (row + 1) * width)
      other.forEach((value, i) => data[(2 * row + 1) * width + i] = sign * value)
    }
    return { parameter, data }
  })
}

/** Values of the wanted parameters from a plain adapter's. */
export function split(
  values: ReadonlyArray<NamedValues>,
  wanted: ReadonlyArray<Parameter>,
): ReadonlyArray<NamedValues> {
  const byKey = new Map(wanted.map((parameter) => [parameter.key, parameter]))
  return values.flatMap(({ parameter, data }) => {
    const own = byKey.get(parameter.key)!
    const initial = byKey.get(initialKey(parameter))
    if (initial === undefined) return [{ parameter: own, data }]
    const { rows, width, sign } = halves(parameter)
    const [first, second] = [new Float32Array(data.length / 2), new Float32Array(data.length / 2)]
    for (let row = 0; row < rows; row++) {
      first.set(data.subarray(2 * row * width, (2 * row + 1) * width), row * width)
      const other = data.subarray((2 * row + 1) * width, (2 * row + 2) * width)
      other.forEach((value, i) => second[row * width + i] = sign * value)
    }
    return [{ parameter: own, data: first }, { parameter: initial, data: second }]
  })
}

const initialKey = ({ owner, module, name }: Parameter): string => `${owner}:${module}.${INITIAL[name]}`

/** How the two halves lie: A's one after the other, B's side by side in each row, the second with its sign turned. */
function halves({ name, shape: [rows, columns] }: Parameter): { rows: number; width: number; sign: number } {
  return name === A ? { rows: 1, width: rows * columns / 2, sign: 1 } : { rows, width: columns / 2, sign: -1 }
}
