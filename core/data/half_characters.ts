/** What is wrong with half of a character, and what to do. */
export const HALF: { readonly what: string; readonly advice: string } = {
  what: "half of a character (a surrogate without its pair, as an emoji that was cut in two leaves it)",
  advice: "no tokenizer takes it: cut texts between characters, or take the half out",
}
