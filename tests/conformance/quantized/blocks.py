"""What the gguf package makes of blocks, for run_blocks.ts.

    python blocks.py make DIRECTORY      writes TYPE.bytes, TYPE.numbers of them, numbers, and TYPE.encoded of those; prints the
                                         numbers of all types by name as JSON
    python blocks.py read FILE.gguf      prints as JSON how the package reads a file: metadata, and tensors in hexadecimal
"""

import json
import pathlib
import sys

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, quants

COUNT = 4000
# Bytes where a type keeps scales in half precision, per block.
HALVES = dict(Q4_0=[0], Q4_1=[0, 2], Q5_0=[0], Q5_1=[0, 2], Q8_0=[0], Q4_K=[0, 2], Q5_K=[0, 2], Q6_K=[208])


def blocks(random, kind, halves):
    """Blocks of any bytes, but that their scales are finite."""
    rows = random.integers(0, 256, (COUNT, quants.GGML_QUANT_SIZES[kind][1]), dtype=np.uint8)
    for at in halves:
        infinite = (rows[:, at + 1] & 0x7C) == 0x7C
        rows[infinite, at + 1] ^= 0x40
    return rows


def numbers(random):
    """Rows of 32: of many sizes, some constant, some with halves alone, which lie between two codes."""
    rows = random.standard_normal((COUNT, 32)) * 10.0 ** random.integers(-6, 4, (COUNT, 1))
    rows[::7] = np.round(2 * rows[::7]) / 2 + 0.0  # no -0
    rows[::50] = rows[::50, :1]
    return rows.astype(np.float32)


def make(directory):
    random = np.random.default_rng(11)
    for name, halves in HALVES.items():
        kind = GGMLQuantizationType[name]
        rows = blocks(random, kind, halves)
        rows.tofile(directory / f"{name}.bytes")
        quants.dequantize(rows, kind).astype(np.float32).tofile(directory / f"{name}.numbers")
    rows = numbers(random)
    rows.tofile(directory / "numbers")
    for name in ["Q4_0", "Q4_1", "Q8_0"]:
        quants.quantize(rows, GGMLQuantizationType[name]).tofile(directory / f"{name}.encoded")
    print(json.dumps({kind.name: kind.value for kind in GGMLQuantizationType}))


def read(path):
    reader = GGUFReader(path)
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    tensors = [
        dict(
            name=tensor.name,
            type=tensor.tensor_type.name,
            shape=[int(extent) for extent in reversed(tensor.shape)],
            bytes=tensor.data.tobytes().hex(),
        )
        for tensor in reader.tensors
    ]
    print(json.dumps(dict(fields=fields, tensors=tensors)))


command, path = sys.argv[1:]
make(pathlib.Path(path)) if command == "make" else read(path)
