/**
 * Adapters made for tests, and what their files say, in float64.
 * @module
 */
import { decodeAllTensors } from "../../support/adapter_tensors.ts"
import { encodeTensors, type FileTensor } from "../../../plugins/peft_format/tensors.ts"

/** Numbers that look random. */
export function noise(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 4.3 % 1)
}

/** A matrix of noise. */
export const random = (shape: ReadonlyArray<number>, seed: number): FileTensor => ({
  shape,
  data: noise(shape.reduce((a, b) => a * b, 1), seed),
})

/** A matrix from its rows. */
export const rows = (...all: ReadonlyArray<ReadonlyArray<number>>): FileTensor => ({
  shape: [all.length, all[0].length],
  data: Float32Array.from(all.flat()),
})

/** Writes an adapter's files; names of tensors without `base_model.model.`. */
export async function writeAdapter(
  path: string,
  config: Record<string, unknown>,
  tensors: Record<string, FileTensor>,
): Promise<void> {
  await Deno.mkdir(path, { recursive: true })
  const record = { peft_type: "LORA", target_modules: ["x"], ...config }
  await Deno.writeTextFile(`${path}/adapter_config.json`, JSON.stringify(record))
  const named = new Map(Object.entries(tensors).map(([name, tensor]) => [`base_model.model.${name}`, tensor]))
  await Deno.writeFile(`${path}/adapter_model.safetensors`, encodeTensors(named))
}

/** A pair of factors: module x [out, in] at rank r. */
export const pair = (module: string, out: number, r: number, width: number, seed: number) => ({
  [`${module}.lora_A.weight`]: random([r, width], seed),
  [`${module}.lora_B.weight`]: random([out, r], seed + 0.5),
})

/** An adapter's config. */
export const configOf = (path: string) => JSON.parse(Deno.readTextFileSync(`${path}/adapter_config.json`))

/** An adapter's tensors, by their names in the file. */
export const tensorsOf = (path: string): ReadonlyMap<string, FileTensor> =>
  decodeAllTensors(Deno.readFileSync(`${path}/adapter_model.safetensors`), path)

/** Each module's update s B A, by the rules that PEFT documents; an Embedding's as its table lies. */
export function deltasOf(path: string): ReadonlyMap<string, Float64Array> {
  const config = configOf(path)
  const tensors = tensorsOf(path)
  const deltas = new Map<string, Float64Array>()
  for (const [name, a] of tensors) {
    const found = /^base_model\.model\.(.*)\.lora_(embedding_A|A\.weight)$/.exec(name)
    if (found === null) continue
    const [, module, kind] = found
    const embedding = kind === "embedding_A"
    const b = tensors.get(`base_model.model.${module}.lora_${embedding ? "embedding_B" : "B.weight"}`)!
    const by = (patterns: Record<string, number> = {}) =>
      Object.entries(patterns).find(([key]) => new RegExp(`(.*\\.)?(${key})$`).test(module))?.[1]
    const r = by(config.rank_pattern) ?? config.r
    const scale = (by(config.alpha_pattern) ?? config.lora_alpha) / (config.use_rslora ? Math.sqrt(r) : r)
    const [[rank, columns], [out]] = [a.shape, b.shape]
    if (rank !== r) throw new Error(`${module}: rank ${rank} in the file, ${r} by the config`)
    const delta = new Float64Array(out * columns)
    for (let i = 0; i < out; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0
        for (let k = 0; k < r; k++) sum += b.data[i * r + k] * a.data[k * columns + j]
        delta[embedding ? j * out + i : i * columns + j] = scale * sum
      }
    }
    deltas.set(module, delta)
  }
  return deltas
}

/** The weighted sum of adapters' updates. */
export function sumOf(adapters: ReadonlyArray<readonly [path: string, weight: number]>): Map<string, Float64Array> {
  const sum = new Map<string, Float64Array>()
  for (const [path, weight] of adapters) {
    for (const [module, delta] of deltasOf(path)) {
      const into = sum.get(module) ?? new Float64Array(delta.length)
      delta.forEach((value, i) => into[i] += weight * value)
      sum.set(module, into)
    }
  }
  return sum
}

/** |a - b| / |b|. */
export function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0]
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2
    norm += b[i] ** 2
  }
  return a.length === b.length ? Math.sqrt(difference / norm) : Infinity
}
