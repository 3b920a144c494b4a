"""Several at once, each on a connection of its own, and many items quickly."""

import threading
from collections.abc import Callable

from django.db import connection

from labelling.models import Item, Project


def at_once(*jobs: Callable[[], None]) -> None:
    """Run the jobs in threads of their own, each on a connection of its own; raise the first error."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


def items_of(project: Project, count: int, holdout: int = 0) -> list[Item]:
    made = Item.objects.bulk_create(
        Item(
            project=project,
            digest=f"{project.pk}-{i}",
            split="holdout" if i < holdout else "pool",
            path="none",
            name=str(i),
            format="PNG",
            width=8,
            height=8,
            size=1,
            random_rank=i,
        )
        for i in range(count)
    )
    return [item for item in made if item.split == "pool"]
