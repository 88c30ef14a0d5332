/**
 * Bundles a script for pages: with esbuild, which finds packages as Deno does.
 * @module
 */
import * as esbuild from "esbuild"
import { createRequire, isBuiltin } from "node:module"
import { fileURLToPath } from "node:url"
import { joined } from "./joined.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** Packages by the import map of deno.json, and what these import in turn. */
const packages: esbuild.Plugin = {
  name: "packages",
  setup(build) {
    build.onResolve({ filter: /^@effect\/platform-node\// }, ({ path }) => ({ path, external: true }))
    // The form of this package that needs no `Buffer`.
    build.onResolve({ filter: /^csv-parse\/sync$/ }, () => ({
      path: fileURLToPath(import.meta.resolve("csv-parse/browser/esm/sync")),
    }))
    build.onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point" || isBuiltin(path)) return undefined
      const inner = !importer.startsWith(repository)
      return { path: inner ? createRequire(importer).resolve(path) : fileURLToPath(import.meta.resolve(path)) }
    })
  },
}

/** A bundle. */
export interface Bundle {
  /** ECMAScript modules by file name: the entry is `main.js`, which is loaded at once; the others lie beside it. */
  readonly files: Readonly<Record<string, string>>
  /** Names of those that are loaded for a module that is wanted later, such as `core/backend/wasm/backend.ts`. */
  readonly later: (module: string) => ReadonlyArray<string>
  /** Files that went into it. */
  readonly inputs: ReadonlyArray<string>
}

/**
 * Bundles a module and all that it imports. Node's file system stays outside: a page brings files of its own
 * (`Espalier.layerWith({ files })`) and never loads it.
 *
 * @param entry Address of the module.
 */
export async function bundle(entry: URL): Promise<Bundle> {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: { main: fileURLToPath(entry) },
    bundle: true,
    splitting: true,
    outdir: "bundle",
    format: "esm",
    platform: "browser",
    target: "es2023",
    minify: true,
    write: false,
    metafile: true,
    plugins: [packages],
    logLevel: "silent",
  })
  const texts = new Map(outputFiles.map(({ path, text }) => [path.slice(path.lastIndexOf("/") + 1), text]))
  const { files, loadedWith } = await joined(texts, metafile)
  await esbuild.stop()
  return {
    files,
    later: (module) => {
      const found = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint?.endsWith(module))
      return found === undefined ? [] : loadedWith(found[0].slice(found[0].lastIndexOf("/") + 1))
    },
    inputs: Object.keys(metafile.inputs),
  }
}
