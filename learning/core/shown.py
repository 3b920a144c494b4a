"""What somebody sent, in a sentence about it: recognisable, and never longer than the sentence."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def shown(value: object) -> str:
    return _SHORT.repr(value)
