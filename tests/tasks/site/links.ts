/**
 * Links of a built site that lead nowhere.
 * @module
 */
import { posix } from "node:path"

/** A link as the page means it: path, and id after `#`. */
function parse(href: string): { readonly path: string; readonly id: string } {
  const text = href.replaceAll("&#x2F;", "/").replaceAll("&amp;", "&")
  const at = text.indexOf("#")
  return at < 0 ? { path: text, id: "" } : { path: text.slice(0, at), id: decodeURIComponent(text.slice(at + 1)) }
}

/** Files that a path may mean, from a page on. */
function filesOf(path: string, page: string): ReadonlyArray<string> {
  const decoded = decodeURIComponent(path)
  const file = decoded.startsWith("/") ? decoded.slice(1) : posix.join(posix.dirname(page), decoded)
  return [file, `${file}.html`, posix.join(file, "index.html")]
}

const found = (html: string, pattern: RegExp): ReadonlySet<string> =>
  new Set(Array.from(html.matchAll(pattern), ([, value]) => value))

/**
 * Links by page that lead to no file of the site, or to no element of a page.
 *
 * @param site Its files; of pages their text.
 * @param checks Whether the links of a page are looked at. Default: of all.
 */
export function brokenLinks(
  site: ReadonlyMap<string, string | undefined>,
  checks: (page: string) => boolean = () => true,
): ReadonlyArray<string> {
  const ids = new Map<string, ReadonlySet<string>>()
  const hasId = (page: string, id: string): boolean => {
    const known = ids.get(page) ?? found(site.get(page) ?? "", /\sid="([^"]+)"/g)
    ids.set(page, known)
    return known.has(id) || known.has(encodeURIComponent(id))
  }
  return [...site].filter(([page]) => checks(page)).flatMap(([page, html = ""]) =>
    [...found(html, /<a\b[^>]*?\shref="([^"]*)"/g)].flatMap((href) => {
      if (/^[a-z]+:/i.test(href)) return []
      const { path, id } = parse(href)
      const file = path === "" ? page : filesOf(path, page).find((one) => site.has(one))
      if (file === undefined) return [`${page}: ${href} leads to no page`]
      return id === "" || hasId(file, id) ? [] : [`${page}: ${href} leads to no heading`]
    })
  )
}
