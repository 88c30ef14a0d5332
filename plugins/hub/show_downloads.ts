import type { ProgressOutput } from "../../core/report/progress.ts"
import type { DownloadEvent } from "./options.ts"

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

const REDRAW_MILLISECONDS = 100
const ERASE_LINE = "\r\x1b[2K"

/**
 * Makes a function that shows downloads: on a terminal a line that is redrawn, elsewhere a line where a file begins, for each
 * quarter of a large one, and where it ends.
 */
export function showDownloads(output: ProgressOutput): (event: DownloadEvent) => void {
  let shownAt = -Infinity
  let [file, quarter] = ["", -1]

  return (event) => {
    const { received, size } = event
    const share = size === 0 ? 1 : received / size
    const isNew = event.file !== file
    if (isNew) [file, quarter] = [event.file, -1]
    const text = `${file}  ${megabytes(received)} of ${megabytes(size)}`
    const ends = received === size ? "\n" : ""
    if (output.isTerminal) {
      if (output.now() - shownAt < REDRAW_MILLISECONDS && ends === "" && !isNew) return
      output.write(ERASE_LINE + text.slice(0, output.columns - 1) + ends)
      shownAt = output.now()
    } else if (Math.floor(4 * share) > quarter) {
      quarter = Math.floor(4 * share)
      output.write(`${text}\n`)
    }
  }
}
