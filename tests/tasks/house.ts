/**
 * Figures of the published sources: lines, the longest functions, circles of files, the fullest folders.
 * @module
 */
import { importsOf, type SourceImport } from "./source_imports.ts"

/** A source file with its text. */
export interface SourceFile {
  readonly file: string
  readonly text: string
}

/** A function and its number of lines. */
export interface MeasuredFunction {
  readonly file: string
  /** Number of its first line, from 1. */
  readonly line: number
  readonly lines: number
}

const indentOf = (line: string): number => line.length - line.trimStart().length

/** Functions whose body is a block, found by the indentation that `deno fmt` gives: the longest first. */
export function functions({ file, text }: SourceFile): ReadonlyArray<MeasuredFunction> {
  const lines = text.split("\n")
  const begins =
    /^(?!\s*(?:\*|\/\/|\/\*|if|for|while|switch|else|try|do)\b).*(?:=> \{|function\b.*\{|\)(?:: [^=]+)? \{|\bfunction\*?\b.*\{)$/
  return lines.flatMap((line, index) => {
    if (
      !begins.test(line) || /^\s*(?:[*/]|\} (?:else|catch|finally)|(?:if|for|while|switch|else|try|do)\b)/.test(line)
    ) return []
    const indent = indentOf(line)
    const end = lines.findIndex((other, at) =>
      at > index && indentOf(other) === indent && other.trimStart().startsWith("}")
    )
    return end < 0 ? [] : [{ file, line: index + 1, lines: end - index + 1 }]
  }).sort((a, b) => b.lines - a.lines)
}

/** Groups of files that import each other, types included: strongly connected components of more than one (Tarjan 1972). */
export function circles(imports: ReadonlyArray<SourceImport>): ReadonlyArray<ReadonlyArray<string>> {
  const targets = new Map<string, Set<string>>()
  for (const { file, target } of imports) {
    if (target === undefined) continue
    if (!targets.has(file)) targets.set(file, new Set())
    targets.get(file)!.add(target)
  }
  const order = new Map<string, number>(), low = new Map<string, number>()
  const stack: Array<string> = []
  const found: Array<ReadonlyArray<string>> = []
  const visit = (file: string): void => {
    order.set(file, order.size)
    low.set(file, order.get(file)!)
    stack.push(file)
    for (const target of targets.get(file) ?? []) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!))
    }
    if (low.get(file) !== order.get(file)) return
    const group = stack.splice(stack.indexOf(file))
    if (group.length > 1) found.push(group.sort())
  }
  for (const file of targets.keys()) if (!order.has(file)) visit(file)
  return found
}

/** How many TypeScript files lie in each folder, the fullest first. */
export function folders(files: ReadonlyArray<SourceFile>): ReadonlyArray<readonly [folder: string, files: number]> {
  const counts = new Map<string, number>()
  for (const { file } of files) {
    const folder = file.slice(0, file.lastIndexOf("/"))
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

/** Lines of all files, comments included. */
export const lineCount = (files: ReadonlyArray<SourceFile>): number =>
  files.reduce((total, { text }) => total + text.split("\n").length - 1, 0)

/** All imports of the files. */
export const allImports = (files: ReadonlyArray<SourceFile>): ReadonlyArray<SourceImport> =>
  files.flatMap(({ file, text }) => importsOf(file, text))
