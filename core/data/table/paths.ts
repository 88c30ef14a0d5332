/** One file or several: paths and globs. The files of a glob come in the order of their names. */
export type Paths = string | ReadonlyArray<string>

/** Whether paths may name several files. */
export const maySeveral = (paths: Paths): boolean => typeof paths !== "string" || /[*?{[]/.test(paths)

/** The paths in a message. */
export const pathsName = (paths: Paths): string =>
  typeof paths === "string" ? paths : `${paths[0]}${paths.length > 1 ? ` and ${paths.length - 1} more` : ""}`
