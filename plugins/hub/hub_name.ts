import { HubError } from "./hub_error.ts"

/** A repository of models at a revision, and a path within it. */
export interface HubName {
  /** `owner/name`. */
  readonly repository: string
  /** A branch, a tag, a pull request (`refs/pr/1`) or a commit. */
  readonly revision: string
  /** Path of a file or folder; empty for the repository. */
  readonly path: string
}

/** What such names begin with. */
const SCHEME = "hf:"

/** Whether a path names something on a hub. */
export function isHubName(path: string): boolean {
  return path.startsWith(SCHEME)
}

// The hub's own rule for names. Two dashes or dots in a row separate names in the cache, or leave it.
const PART = /^(?!.*(--|\.\.))[\w](?:[\w.-]{0,94}[\w])?$/
/** A revision with slashes: a pull request or a conversion; in any other the slash is written %2F. */
const NAMED = /^hf:([^/@]+)\/([^/@]+)(?:@(refs\/(?:pr|convert)\/[^/]+|[^/]+))?(?:\/(.*))?$/s

/** Reads `hf:owner/name@revision/path`. Throws {@link HubError} `Name`. */
export function parseHubName(text: string): HubName {
  const wrong = (why: string) =>
    new HubError({
      reason: "Name",
      asked: text,
      message: `"${text}" names nothing on a hub: ${why}; write hf:owner/name, hf:owner/name@revision or ` +
        "hf:owner/name/file.gguf",
    })
  const found = NAMED.exec(text)
  if (found === null) throw wrong("there is no owner/name")
  const [, owner, name, given = "main", rest = ""] = found
  const odd = [owner, name].find((part) => !PART.test(part))
  if (odd !== undefined) throw wrong(`"${odd}" is no name of an owner or a repository`)
  const revision = decoded(given)
  if (revision === undefined || !isRevision(revision)) throw wrong(`"${given}" is no revision`)
  const parts = rest.split("/").filter((part) => part !== "")
  if (!parts.every(isPathPart)) throw wrong(`"${rest}" is no path within a repository`)
  return { repository: `${owner}/${name}`, revision, path: parts.join("/") }
}

/** The name as text, as short as it can be. */
export function hubNameText({ repository, revision, path }: HubName): string {
  const isPlain = !revision.includes("/") || /^refs\/(pr|convert)\/[^/]+$/.test(revision)
  const at = revision === "main" ? "" : `@${isPlain ? revision : encodeURIComponent(revision)}`
  return `${SCHEME}${repository}${at}${path === "" ? "" : `/${path}`}`
}

/** Whether a part of a path stays where it is put, on any system. */
export function isPathPart(part: string): boolean {
  // deno-lint-ignore no-control-regex
  return part !== "" && part !== "." && part !== ".." && !/[\\:\u0000-\u001f]/.test(part)
}

/** Git's rules for names of refs, as far as they keep a path below its folder. */
function isRevision(text: string): boolean {
  return text.split("/").every((part) => isPathPart(part) && !part.startsWith(".") && !/[\s~^?*[]/.test(part))
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
