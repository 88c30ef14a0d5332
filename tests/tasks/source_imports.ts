/**
 * The imports of the published sources, read from their text.
 * @module
 */

/** One `import` or `export ... from`. */
export interface SourceImport {
  /** Importing file, relative to the repository, with `/`. */
  readonly file: string
  /** The text between the quotes. */
  readonly specifier: string
  /** Imported file, relative to the repository; `undefined` when the specifier is not a relative one. */
  readonly target: string | undefined
}

/** Where the published sources lie. */
export const publishedRoots: ReadonlyArray<string> = ["core", "kernels", "plugins", "mod.ts"]

// Line-anchored, so that examples in doc comments (" * import ...") are no imports.
const staticImport = /^[ \t]*(?:import|export)\b[^"';]*?\bfrom[ \t\n]*"([^"]+)"|^[ \t]*import[ \t]*"([^"]+)"/gm
const dynamicImport = /^(?![ \t]*(?:\*|\/\/)).*?\bimport\([ \t\n]*"([^"]+)"/gm

/** The imports in `text`, the content of `file`. */
export function importsOf(file: string, text: string): Array<SourceImport> {
  const matches = [...text.matchAll(staticImport), ...text.matchAll(dynamicImport)]
  return matches.map((match) => {
    const specifier = (match[1] ?? match[2])!
    const target = specifier.startsWith(".") ? new URL(specifier, `file:///${file}`).pathname.slice(1) : undefined
    return { file, specifier, target }
  })
}

/** The TypeScript files under the `roots` (files or folders) of `repository`, with their text. */
export function* sourceFiles(
  repository: URL,
  roots: ReadonlyArray<string>,
): Generator<{ readonly file: string; readonly text: string }> {
  for (const root of roots) {
    const url = new URL(root, repository)
    let isDirectory: boolean
    try {
      isDirectory = Deno.statSync(url).isDirectory
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue
      throw error
    }
    if (isDirectory) yield* sourceFiles(repository, [...Deno.readDirSync(url)].map((entry) => `${root}/${entry.name}`))
    else if (root.endsWith(".ts")) yield { file: root, text: Deno.readTextFileSync(url) }
  }
}
