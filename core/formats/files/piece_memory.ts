/** Memory of one piece of a file: at least so many bytes. */
export type PieceMemory = (bytes: number) => ArrayBuffer

/** Memory that one piece after another uses, and grows where a piece needs more. */
export function pieceMemory(): PieceMemory {
  let memory = new ArrayBuffer(0)
  return (bytes) => memory.byteLength < bytes ? memory = new ArrayBuffer(bytes) : memory
}
