/** Id and time of an answer. */
export const newId = (kind: string): { readonly id: string; readonly created: number } => ({
  id: `${kind}-${crypto.randomUUID().replaceAll("-", "")}`,
  created: Math.floor(Date.now() / 1000),
})
