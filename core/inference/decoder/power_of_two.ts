/** The least power of two from `size` on: programs and caches come in these sizes. */
export const power = (size: number): number => 2 ** Math.ceil(Math.log2(size))
