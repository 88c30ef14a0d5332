/**
 * How names and layouts of weight files follow from those of a model, for loading and for saving.
 * @module
 */
import { fillName, matchName, type NamePattern } from "./name_pattern.ts"
import { type LazyTensor, transpose, type WeightTransform } from "./weight_transform.ts"

/** What files call some tensors of a model. Patterns of a rule stand for the same texts at their `*`. */
export interface WeightRule {
  /** Names in files. */
  readonly stored: NamePattern | ReadonlyArray<NamePattern>
  /**
   * Names in the model. None: the model has no use for such tensors. Several without `transform`: one tensor under several
   * names (tied), saved and trained once, as the first.
   */
  readonly names: NamePattern | ReadonlyArray<NamePattern>
  /** How the tensors differ. Default: not. */
  readonly transform?: WeightTransform
  /** True for a spelling that is read and never written. Default false. */
  readonly legacy?: boolean
  /** Whether the tensors start new where files lack them: a head. Default false. */
  readonly optional?: boolean
}

/** Rules, applied in order for loading and in reverse order for saving. A name without a rule is the same in both. */
export type WeightMap = ReadonlyArray<WeightRule>

/** Keys of tied parameters, by the key of the parameter that they are. */
export type Ties = Readonly<Record<string, string>>

/** The ties that a map asks for. */
export function tiesOf(map: WeightMap): Ties {
  return Object.fromEntries(map.flatMap(({ names, transform }) => {
    const [first, ...others] = listOf(names)
    return transform === undefined ? others.map((name) => [name, first]) : []
  }))
}

/** Patterns of stored names that a model has no use for. */
export function ignoredNames(map: WeightMap): ReadonlyArray<NamePattern> {
  return map.flatMap(({ stored, names }) => names.length === 0 ? listOf(stored) : [])
}

/** Whether a parameter starts new where files lack it. */
export function isOptional(map: WeightMap, key: string): boolean {
  return map.some(({ names, optional }) =>
    optional && listOf(names).some((pattern) => matchName(pattern, key) !== undefined)
  )
}

/** Whether files hold a matrix with its axes swapped. */
export function isTransposed(map: WeightMap, key: string): boolean {
  return map.some(({ names, transform }) =>
    transform === transpose && listOf(names).some((pattern) => matchName(pattern, key) !== undefined)
  )
}

/**
 * Stored tensors under the model's names. A name that is taken keeps its tensor, and the other stays as it is.
 *
 * @param made Completes what a transform made of some of them.
 */
export function asInModel<T extends LazyTensor>(
  map: WeightMap,
  stored: ReadonlyMap<string, T>,
  made: (tensor: LazyTensor, from: ReadonlyArray<T>) => T,
): ReadonlyMap<string, T> {
  return map.reduce(
    (tensors, { stored, names, transform }) =>
      move(tensors, listOf(stored), listOf(names), transform && ((from) => transform.load(from)), made),
    stored,
  )
}

/** A model's tensors as files store them. */
export function asInFiles(
  map: WeightMap,
  own: ReadonlyMap<string, LazyTensor>,
): ReadonlyMap<string, LazyTensor> {
  return map.filter(({ legacy = false }) => !legacy).reduceRight(
    (tensors, { stored, names, transform }) =>
      move(tensors, listOf(names), listOf(stored), transform && ((from) => transform.save(from)), (tensor) => tensor),
    own,
  )
}

/** Tensors with those under some names put under others, in their places in the order. */
function move<T extends LazyTensor>(
  tensors: ReadonlyMap<string, T>,
  from: ReadonlyArray<NamePattern>,
  to: ReadonlyArray<NamePattern>,
  change: ((from: ReadonlyArray<T>) => ReadonlyArray<LazyTensor>) | undefined,
  made: (tensor: LazyTensor, from: ReadonlyArray<T>) => T,
): ReadonlyMap<string, T> {
  // Of names without a transform the first is the tensor's own, the others are tied to it.
  const [sources, targets] = change === undefined ? [from.slice(0, 1), to.slice(0, 1)] : [from, to]
  if (sources.length === 0 || targets.length === 0 || (change === undefined && sources[0] === targets[0])) {
    return tensors
  }
  const moved = new Map<string, ReadonlyArray<readonly [string, T]>>()
  const taken = new Set(tensors.keys())
  for (const name of tensors.keys()) {
    const parts = matchName(sources[0], name)
    const group = parts && sources.map((pattern) => fillName(pattern, parts))
    const goals = parts && targets.map((pattern) => fillName(pattern, parts))
    if (group === undefined || goals === undefined || !group.every((one) => tensors.has(one))) continue
    if (goals.some((goal) => taken.has(goal) && !group.includes(goal))) continue
    goals.forEach((goal) => taken.add(goal))
    const own = group.map((one) => tensors.get(one)!)
    group.forEach((one) => moved.set(one, []))
    moved.set(
      name,
      change === undefined ? [[goals[0], own[0]]] : change(own).map((tensor, i) => [goals[i], made(tensor, own)]),
    )
  }
  return new Map([...tensors].flatMap(([name, tensor]) => moved.get(name) ?? [[name, tensor] as const]))
}

function listOf(names: NamePattern | ReadonlyArray<NamePattern>): ReadonlyArray<NamePattern> {
  return typeof names === "string" ? [names] : names
}
