/**
 * Links of a built site that lead nowhere.
 * @module
 */
import { posix } from "node:path"

/** Links by page that lead to no file of the site, or to no element of a page. */
export function brokenLinks(site: ReadonlyMap<string, string | undefined>): ReadonlyArray<string> {
  const ids = new Map<string, ReadonlySet<string>>()
  const idsOf = (page: string): ReadonlySet<string> => {
    const known = ids.get(page) ??
      new Set(Array.from(site.get(page)?.matchAll(/\s(?:id|name)="([^"]+)"/g) ?? [], ([, id]) => id))
    ids.set(page, known)
    return known
  }
  return [...site].flatMap(([page, html]) =>
    [
      ...new Set(
        Array.from(html?.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g) ?? [], ([, href]) => href.replaceAll("&amp;", "&")),
      ),
    ]
      .filter((href) => !/^[a-z]+:/i.test(href))
      .flatMap((href) => {
        const [path, hash = ""] = href.split(/(?=#)/)
        const named = path === ""
          ? page
          : posix.join(path.startsWith("/") ? "" : posix.dirname(page), decodeURI(path).replace(/^\//, ""))
        const found = [named, `${named}.html`, posix.join(named, "index.html")].find((file) => site.has(file))
        if (found === undefined) return [`${page}: ${href} leads to no page`]
        const id = decodeURIComponent(hash.slice(1))
        return id === "" || idsOf(found).has(id) ? [] : [`${page}: ${href} leads to no heading`]
      })
  )
}
