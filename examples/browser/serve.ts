/**
 * Bundles and serves the page that fine-tunes a model in the browser.
 *
 * ```sh
 * deno task browser
 * ```
 *
 * `--port` takes a port other than 8000.
 *
 * @module
 */
import { bundle } from "./bundle.ts"
import { serve, type Site } from "./site.ts"

/** The whole page: its files, the model that is included, and a table to try it on. */
export async function pageSite(model: URL = new URL("../models/espalier-1m/", import.meta.url)): Promise<Site> {
  const { files } = await bundle(new URL("main.ts", import.meta.url))
  return {
    "/index.html": new URL("index.html", import.meta.url),
    "/style.css": new URL("style.css", import.meta.url),
    ...Object.fromEntries(Object.entries(files).map(([name, code]) => [`/${name}`, code])),
    "/model/": model,
    "/sms_spam.tsv": new URL("../data/sms_spam.tsv", import.meta.url),
  }
}

if (import.meta.main) {
  const [flag, value, ...others] = Deno.args
  const port = flag === undefined ? 8000 : flag === "--port" ? Number(value) : NaN
  if (!Number.isInteger(port) || port < 0 || port > 65_535 || others.length > 0) {
    console.error("usage: deno task browser [--port N]; N is a whole number from 0 (any free port) to 65535")
    Deno.exit(flag === "--help" || flag === "-h" ? 0 : 1)
  }
  serve(await pageSite(), { port, onListen: (address) => console.log(`The page is at ${address}`) })
}
