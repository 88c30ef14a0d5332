import type { Slot } from "../../backend/backend.ts"
import type { Model } from "../model.ts"

/** The memory of a base parameter, as the model's view has it: merged, trained or as loaded. */
export function slotsOf({ parameters, folded, tensor }: Model): (key: string) => Slot {
  const all = [...parameters, ...folded.values()].flatMap((
    { original, ...own },
  ) => [own, ...(original ? [original] : [])])
  const slots = new Map(all.map(({ tensor, slot }) => [tensor, slot]))
  return (key) => slots.get(tensor(key, false))!
}
