/** A line end as Windows, Unix or old Macs write it; "\r\r\n" is what Windows makes of "\r\n" when it writes text. */
export const LINE_END = /\r+\n|\n|\r/

/** The same text with "\n" for each line end of Windows. Carriage returns that stand alone stay. */
export const unixLineEnds = (text: string): string => text.includes("\r") ? text.replace(/\r+\n/g, "\n") : text
