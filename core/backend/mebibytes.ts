/** A number of bytes in MiB, for messages. */
export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(1)} MiB`
