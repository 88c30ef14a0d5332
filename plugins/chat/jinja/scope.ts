import type { Value } from "./values/values.ts"

/** Names and their values, over those of the scope around. */
export class Scope {
  /** Names that are set here. */
  readonly names: Map<string, Value>

  /** @param around The scope around; default: none. */
  constructor(readonly around?: Scope, names: Iterable<readonly [string, Value]> = []) {
    this.names = new Map(names)
  }

  /** The value of a name; undefined where it has none. */
  find(name: string): Value | undefined {
    const own = this.names.get(name)
    return own === undefined ? this.around?.find(name) : own
  }
}
