import numpy as np

from learning.core.half import widened


def test_every_half_becomes_the_float_that_numpy_makes_of_it() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    for halves in (every.reshape(256, 256), finite.reshape(248, -1), every[:0].reshape(0, 8)):
        expected = halves.astype(np.float32)
        assert widened(halves).view(np.uint32).tolist() == expected.view(np.uint32).tolist()
