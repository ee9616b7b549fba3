"""Messages between the server and its workers: pickles behind their length, both ends our own."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any


def send(pipe: IO[bytes], message: tuple[Any, ...]) -> None:
    """Write one message."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    pipe.write(struct.pack("<Q", len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[Any, ...] | None:
    """Read one message; None at the end."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    size = struct.unpack("<Q", head)[0]
    data = pipe.read(size)
    message: tuple[Any, ...] | None = pickle.loads(data) if len(data) == size else None
    return message
