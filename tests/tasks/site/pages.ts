/**
 * The pages of the site: those of the repository, with links that lead to each other.
 * @module
 */
import { posix } from "node:path"

/** A page of the site. */
export interface Page {
  /** Its file in the site, such as `docs/data.md`. */
  readonly path: string
  /** Markdown. */
  readonly text: string
}

/** Where links lead that are within the site. */
export interface Target {
  /** Pages by their file in the repository: their file in the site. */
  readonly pages: ReadonlyMap<string, string>
  /** Whether the repository has a file. */
  readonly exists: (path: string) => boolean
}

/** Below this, the site has files of the repository that pages link to. */
export const FILES = "files"

const isAbsolute = (target: string) => /^(?:[a-z]+:|#|\/)/i.test(target)

/**
 * A page of the repository as a page of the site: links lead to pages, or to copies of files. Throws where there is no such
 * file.
 *
 * @param path Its file in the repository.
 */
export function sitePage(path: string, text: string, { pages, exists }: Target): Page & {
  /** Files of the repository that it links to. */
  readonly files: ReadonlyArray<string>
} {
  const files: Array<string> = []
  const link = (given: string): string => {
    if (isAbsolute(given)) return given
    const [target, hash = ""] = given.split(/(?=#)/)
    const file = posix.join(posix.dirname(path), target)
    const page = pages.get(file)
    if (page !== undefined) return `/${page}${hash}`
    if (!exists(file)) throw new Error(`${path}: the link ${given} leads nowhere`)
    files.push(file)
    // As text, which browsers show.
    return `/${FILES}/${file}.txt`
  }
  const linked = outsideCode(
    text,
    (part) => part.replace(/<!--[^]*?-->\n*/g, "").replace(/\]\(([^)\s]+)\)/g, (_, target) => `](${link(target)})`),
  )
  return { path: pages.get(path)!, text: linked, files }
}

/** Changes the text outside of fenced code. */
function outsideCode(text: string, change: (part: string) => string): string {
  return text.split(/(^```[^]*?^```$)/m).map((part, i) => i % 2 === 0 ? change(part) : part).join("")
}
