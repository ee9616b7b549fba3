"""Pictures of one pixel a value, as the addresses that an image mark draws."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def address(colours: NDArray[np.uint8], there: NDArray[Any] | None = None) -> str:
    """Colours (M,N,3), the first row on top, as a PNG data address; see-through where not ``there`` (M,N)."""
    if there is not None:
        colours = np.dstack([colours, np.where(there, 255, 0).astype(np.uint8)])
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
