/** A line end of Windows, Unix or old Macs; text mode on Windows turns "\r\n" into "\r\r\n". */
export const LINE_END = /\r+\n|\n|\r/

/** Turns line ends of Windows into "\n". Lone carriage returns stay. */
export const unixLineEnds = (text: string): string => text.includes("\r") ? text.replace(/\r+\n/g, "\n") : text
