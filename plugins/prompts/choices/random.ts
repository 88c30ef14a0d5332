import { makeRng } from "../../../core/tensor/operations/random.ts"
import type { Choice } from "./choice.ts"

/** Draws examples once, the same for every query. */
export const random = ({ seed = 0 }: { readonly seed?: number } = {}): Choice => ({
  name: "random",
  embeds: false,
  from: ({ labels }, count) => {
    const drawn = makeRng(seed).shuffle(labels.keys()).slice(0, count)
    return () => drawn
  },
})
