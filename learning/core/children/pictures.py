"""What a policy does, to look at."""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from learning.core.augmentation import Augment

COLUMNS, LOOKS = 8, 3
GAP = 2  # pixels


def examples_png(images: NDArray[np.uint8], augment: Augment, seed: int) -> bytes:
    """The first pictures of (n, S, S, 3) as they are, above LOOKS rows of them augmented."""
    some = torch.from_numpy(images[:COLUMNS]).permute(0, 3, 1, 2).contiguous()
    generator = torch.Generator().manual_seed(seed)
    rows = [some, *(augment(some, generator) for _ in range(LOOKS))]
    side = images.shape[1]
    sheet = np.full(
        (len(rows) * (side + GAP) - GAP, len(some) * (side + GAP) - GAP, 4), 0, np.uint8
    )  # (., ., RGBA)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures.permute(0, 2, 3, 1).numpy()):
            top, left = row * (side + GAP), column * (side + GAP)
            sheet[top : top + side, left : left + side] = np.dstack(
                [picture, np.full((side, side), 255, np.uint8)]
            )
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "PNG")
    return out.getvalue()
