"""Somebody who labels."""

import uuid
from collections.abc import Callable

from labelling.models import Item, Label, Project, User
from labelling.services.annotations import annotation_record
from labelling.services.leases import lease_items


def answer_all(project: Project, person: User, label_of: Callable[[Item], Label | None]) -> None:
    """Answer the project's one question for as long as anything is asked."""
    question = project.questions.get()
    while leases := lease_items(project=project, annotator=person, count=4):
        for lease in leases:
            annotation_record(
                project=project,
                annotator=person,
                uuid=uuid.uuid4(),
                item=lease.item,
                question=question,
                label=label_of(lease.item),
                seconds=1.0,
            )
