"""The images of a project's own items, for clients that name them instead of sending them."""

import re
from collections.abc import Sequence

from django.db.models import Q

from labelling.models import Item, Project
from labelling.services.items import item_bytes

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST = 2**63 - 1


class NoSuchItem(LookupError):
    """The sentence to answer with."""


class TooManyBytes(ValueError):
    """The sentence to answer with."""


class ItemLost(OSError):
    """The sentence to answer with."""


def items_read(*, project: Project, names: Sequence[int | str], most: int) -> list[bytes]:
    """Their files in this order, by the item's number or its file's SHA-256. Raises NoSuchItem for one that
    the project does not have, TooManyBytes where all together have more than `most`, or ItemLost.
    """
    numbers = [one for one in names if isinstance(one, int) and 0 < one <= _LARGEST]
    digests = [one.lower() for one in names if isinstance(one, str) and _DIGEST.fullmatch(one.lower())]
    # Of one project, whatever the number: an item of another is as unknown as one that never was.
    there = Item.objects.filter(Q(pk__in=numbers) | Q(digest__in=digests), project=project)
    found: dict[int | str, Item] = {}
    for item in there.only("id", "digest", "path", "size"):
        found[item.pk] = found[item.digest] = item
    items = []
    for name in names:
        one = found.get(name.lower() if isinstance(name, str) else name)
        if one is None:
            raise NoSuchItem(f"The project has no item {str(name)[:64]!r}: name items by number or SHA-256.")
        items.append(one)
    if sum(item.size for item in items) > most:
        raise TooManyBytes(
            f"These items have more than {most // 1024**2} MB together: name fewer in a request."
        )
    return [_bytes(item) for item in items]


def _bytes(item: Item) -> bytes:
    try:
        return item_bytes(item=item)
    except FileNotFoundError as lost:
        raise ItemLost(f"The file of item {item.pk} is gone from the storage: import it again.") from lost
