import { encodingOf, F32 } from "../../../../kernels/encodings.ts"
import type { BackendService, Slot } from "../../../backend/backend.ts"
import { decoded } from "../../../backend/slots/slots.ts"
import type { Shape } from "../../../tensor/shape.ts"
import { type PackedRows, piecesOfRows } from "../../../weights/packed_rows.ts"

/**
 * Writes a packed tensor: as it is to slots in its encoding, as numbers to others, piece by piece.
 *
 * @param check Looks at numbers before they are written.
 */
export async function writePacked(
  packed: PackedRows,
  shape: Shape,
  slots: ReadonlyArray<Slot>,
  write: BackendService["write"],
  check: (data: Float32Array) => void,
): Promise<void> {
  const isSame = ({ storage }: Slot) => encodingOf(storage) === packed.encoding && packed.encoding !== F32
  for await (const { offset, elements, bytes } of piecesOfRows(packed, shape)) {
    const data = slots.every(isSame) ? undefined : decoded(packed.encoding, bytes, elements)
    if (data !== undefined) check(data)
    for (const slot of slots) await write(slot, isSame(slot) ? bytes : data!, offset)
  }
}
