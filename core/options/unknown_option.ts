import { nearest } from "../formats/json/nearest.ts"

/** All names of options, so that none is left out. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: true }

/** Characters that a message repeats of a value, at most. */
const MOST = 200

/** What a message repeats of a text: its beginning, where it has more than so many characters. */
export const brief = (text: string, most: number = MOST): string =>
  text.length > most ? `${text.slice(0, most)}...` : text

/** What is wrong with a name that is none of the known ones, at a place within other options. */
export const unknownName = (name: string, known: ReadonlyArray<string>, place: string = name): string =>
  `unknown option "${brief(place)}"; the nearest known one is "${nearest(name.slice(0, MOST), known)}"`

/** What is wrong with options that are no object, or with the first one of another name; undefined where all are known. */
export function unknownOption<Options extends object>(
  options: Options,
  names: OptionNames<Options>,
): string | undefined {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return `options must be an object, got ${brief(JSON.stringify(options) ?? typeof options)}`
  }
  const name = Object.keys(options).find((name) => !Object.hasOwn(names, name))
  return name === undefined ? undefined : unknownName(name, Object.keys(names))
}
