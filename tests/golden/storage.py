"""Safetensors files that come out byte for byte the same every time."""

import json

from safetensors.torch import save_file


def write(tensors, path, metadata=None):
    """save_file with the metadata in sorted order, so that the bytes are always the same."""
    save_file(tensors, path, metadata=metadata)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + size])
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size:])
