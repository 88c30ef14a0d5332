import type { Tokenizer } from "../../../core/data/tokenizer/tokenizer.ts"

/** A tokenizer that decodes some special tokens as text where it leaves special ones out; a text begins anew after each. */
export function showing(tokenizer: Tokenizer, texts: ReadonlyArray<string>): Tokenizer {
  const skipSpecialTokens = true
  const isSpecial = (id: number | undefined) => id !== undefined && tokenizer.decode([id], { skipSpecialTokens }) === ""
  const shown = new Map(texts.map((text) => [tokenizer.id(text), text] as const).filter(([id]) => isSpecial(id)))
  if (shown.size === 0) return tokenizer
  const decode: Tokenizer["decode"] = (ids, options = {}) => {
    if (!options.skipSpecialTokens) return tokenizer.decode(ids)
    let [text, from] = ["", 0]
    const all = Array.from(ids)
    for (const [at, id] of all.entries()) {
      const own = shown.get(id)
      if (own === undefined) continue
      text += tokenizer.decode(all.slice(from, at), { skipSpecialTokens }) + own
      from = at + 1
    }
    return text + tokenizer.decode(all.slice(from), { skipSpecialTokens })
  }
  return { ...tokenizer, decode }
}
