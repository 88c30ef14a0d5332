/** How Python's tools name a base model. */
export interface BaseName {
  /** `owner/name`, or a folder; null for none. */
  readonly name: string | null
  readonly revision: string | null
}

/** A name on a hub (`hf:owner/name@revision`), of which Python's tools write the scheme nowhere and the revision apart. */
const ON_HUB = /^hf:([^/@]+\/[^/@]+)(?:@(refs\/[^/]+\/[^/]+|[^/]+))?/

/** The name of the model that was loaded from a path. */
export function baseName(path: string): BaseName {
  const found = ON_HUB.exec(path)
  if (found === null) return { name: path === "" ? null : path, revision: null }
  return { name: found[1], revision: found[2] === undefined ? null : decodeURIComponent(found[2]) }
}
