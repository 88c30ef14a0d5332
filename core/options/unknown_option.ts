import { nearest } from "../formats/json/nearest.ts"

/** All names of options, so that none is left out. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: true }

/** What is wrong with a name that is none of the known ones, at a place within other options. */
export const unknownName = (name: string, known: ReadonlyArray<string>, place: string = name): string =>
  `unknown option "${place}"; the nearest known one is "${nearest(name, known)}"`

/** What is wrong with options that are no object, or with the first one of another name; undefined where all are known. */
export function unknownOption<Options extends object>(
  options: Options,
  names: OptionNames<Options>,
): string | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return `options must be an object, got ${JSON.stringify(options) ?? typeof options}`
  }
  const name = Object.keys(options).find((name) => !Object.hasOwn(names, name))
  return name === undefined ? undefined : unknownName(name, Object.keys(names))
}
