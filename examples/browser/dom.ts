/**
 * Parts of the page.
 * @module
 */

/** An element by its id. */
export const get = <E extends HTMLElement = HTMLElement>(id: string): E => document.getElementById(id) as E

/** Shows or hides an element. */
export const show = (id: string, visible = true): void => void (get(id).hidden = !visible)

/** Sets the text of an element. */
export const set = (id: string, text: string): void => void (get(id).textContent = text)

/** An element with a text and a class. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  content: string | ReadonlyArray<Node>,
  className = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  made.append(...(typeof content === "string" ? [content] : content))
  made.className = className
  return made
}

/** Runs what a person asked for; an error is shown in the page. */
export function act(work: () => Promise<void>): Promise<void> {
  show("error", false)
  return work().catch((error) => {
    set("error", error instanceof Error ? error.message : String(error))
    show("error")
    get("error").scrollIntoView({ block: "nearest" })
  })
}
