import type { Contribution, RunInfo } from "../../contracts/contribution.ts"

/** What takes part in a run: every contribution prepared for it, once. Throws PluginError. */
export function prepared(run: RunInfo): ReadonlyArray<Contribution> {
  return run.contributions.map((contribution) => {
    if (contribution.prepare === undefined) return contribution
    const { prepare: _, ...own } = contribution.prepare(run)
    return own
  })
}
