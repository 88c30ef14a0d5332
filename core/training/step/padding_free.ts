import type { Model } from "../../model/model.ts"

/**
 * What stands against training on packed rows, if anything: the model's family, or a method that needs a row for each
 * example.
 */
export function againstPaddingFree(
  { network, contributions, sites, off, merged, config, tasks }: Model,
): string | undefined {
  const bySequence = Object.values(tasks).every(({ task: { head } }) => head.kind === "sequence")
  if (network.paddingFree !== true) return `models of type "${config.model_type}" take padded rows alone`
  for (const { id, objective, gradients, requires = {} } of contributions) {
    const { paddedRows = objective !== undefined, perExampleLoss, constantDivisor } = requires
    if (gradients?.example !== undefined) return `${id} changes the gradient of each example, which is that of its row`
    if (paddedRows) return `${id} does not declare that it works on rows of several examples`
    if (bySequence || !(perExampleLoss || constantDivisor)) continue
    return `${id} needs the loss of each example, and a packed row has one loss`
  }
  for (const { owner, plan: { place } } of [...sites.values()].flat()) {
    if (off.has(owner) || merged.has(owner)) continue
    if (place === "kv-prefix" || place === "input-prefix") return `${owner} puts something before each row ("${place}")`
  }
  return undefined
}
