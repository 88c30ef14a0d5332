import type { Visibility } from "./call.ts"

/** How many first keys queries see apart from a range of others; 0 where every range begins with them. */
export const apartOf = ({ prefix, window, segments }: { readonly [key in keyof Visibility]?: unknown }): number =>
  window === undefined && segments === undefined ? 0 : prefix as number
