const read = (page: string) => Deno.readTextFileSync(new URL(`../../${page}`, import.meta.url))

/** Code blocks in TypeScript of a page or a comment. */
export const blocksOf = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/^```ts\n([\s\S]*?)^```/gm), ([, block]) => block)

/** The program of a page such as `docs/add_a_task.md`: its code blocks are one file. */
export const programOf = (page: string): string => blocksOf(read(page)).join("\n")

/** Runs the program of a page. Gives its exports, whose types the caller states: `documentation_test.ts` checks the program. */
export const importPage = <Exports>(page: string): Promise<Exports> =>
  import(`data:application/typescript;charset=utf-8,${encodeURIComponent(programOf(page))}`)

/** The first comment of a file: that of the module. */
export const moduleComment = (path: string): string =>
  (/^\/\*\*\n([\s\S]*?) \*\//.exec(read(path))?.[1] ?? "").replaceAll(/^ \* ?/gm, "")
