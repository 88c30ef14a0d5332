/** Keeps what was made of short texts lately. */
export const remembered = <A>(make: (text: string) => A): (text: string) => A => {
  let known = new Map<string, A>()
  return (text) => {
    if (text.length > 64) return make(text)
    const before = known.get(text)
    if (before !== undefined) return before
    const made = make(text)
    if (known.size >= 1 << 16) known = new Map()
    known.set(text, made)
    return made
  }
}
