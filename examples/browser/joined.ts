/**
 * Joins what a page loads at once. esbuild makes a chunk for each set of modules that are wanted later and share something:
 * dozens of small files, although a page that loads `main.js` has all of them.
 * @module
 */
import * as esbuild from "esbuild"

/** Chunks by file name, joined. */
export interface Joined {
  readonly files: Readonly<Record<string, string>>
  /** Names of the chunks that are loaded with one that is wanted later, itself the first. */
  readonly loadedWith: (name: string) => ReadonlyArray<string>
}

type Outputs = esbuild.Metafile["outputs"]

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** Chunks that are loaded with one: those that it imports, and those that these import. */
function closure(outputs: Outputs, first: string): ReadonlySet<string> {
  const imports = new Map(
    Object.entries(outputs).map(([path, { imports }]) => [
      nameOf(path),
      imports.filter(({ kind, external }) => kind === "import-statement" && !external).map(({ path }) => nameOf(path)),
    ]),
  )
  const all = new Set([first])
  for (const name of all) for (const other of imports.get(name) ?? []) all.add(other)
  return all
}

const OPTIONS = {
  bundle: true,
  outdir: "bundle",
  format: "esm",
  platform: "browser",
  target: "es2023",
  minify: true,
  write: false,
  logLevel: "silent",
} as const

/** Gives esbuild texts by name; what has none stays an import. */
const textsOf = (texts: ReadonlyMap<string, string>): esbuild.Plugin => ({
  name: "texts",
  setup(build) {
    build.onResolve({ filter: /^/ }, ({ path }) => {
      const name = nameOf(path)
      return texts.has(name) ? { path: name, namespace: "texts" } : { path, external: true }
    })
    build.onLoad({ filter: /^/, namespace: "texts" }, ({ path }) => ({ contents: texts.get(path)!, loader: "js" }))
  },
})

/** Joins all chunks that are loaded with `main.js` into it; what the others take of them, they take from it. */
export async function joined(chunks: ReadonlyMap<string, string>, { outputs }: esbuild.Metafile): Promise<Joined> {
  const atOnce = [...closure(outputs, "main.js")]
  const entries = Object.entries(outputs).filter(([, { entryPoint }]) => entryPoint !== undefined)
    .map(([path]) => nameOf(path)).filter((name) => !atOnce.includes(name))
  /** What `main.js` calls an export of one of the chunks in it. */
  const inMain = (chunk: string, name: string) => `${name}_${atOnce.indexOf(chunk)}`
  const taken = new Map<string, string>()
  /** The text of a chunk that is wanted later. */
  const fromMain = (text: string) =>
    text.replaceAll(
      /import(?:\{([^{}]*)\}from)?"\.\/([\w-]+\.js)";?/g,
      (whole, names: string | undefined, chunk: string) => {
        if (!atOnce.includes(chunk)) return whole
        const own = (names ?? "").split(",").filter(Boolean).map((one) => {
          const [name, as = name] = one.split(" as ")
          taken.set(inMain(chunk, name), `export { ${name} as ${inMain(chunk, name)} } from "./${chunk}"`)
          return `${inMain(chunk, name)} as ${as}`
        })
        return own.length === 0 ? "" : `import {${own.join(",")}} from "./main.js";`
      },
    )
  const wanted = new Map(
    [...chunks].filter(([name]) => !atOnce.includes(name)).map(([name, text]) => [name, fromMain(text)]),
  )
  const later = await esbuild.build({
    ...OPTIONS,
    entryPoints: entries.map((name) => ({ in: name, out: name.replace(/\.js$/, "") })),
    splitting: true,
    metafile: true,
    plugins: [textsOf(wanted)],
  })
  const all = [`export * from "./main.js"`, ...taken.values()].join("\n")
  const main = await esbuild.build({
    ...OPTIONS,
    entryPoints: { main: "all.js" },
    plugins: [textsOf(new Map([["all.js", all], ...atOnce.map((name) => [name, chunks.get(name)!] as const)]))],
  })
  const texts = [...later.outputFiles, ...main.outputFiles].map(({ path, text }) => [nameOf(path), text])
  return {
    files: Object.fromEntries(texts),
    loadedWith: (name) => [...closure(later.metafile.outputs, name)],
  }
}
