from labelling.models.annotation import Annotation, Consensus
from labelling.models.imports import ImportJob, ImportRefusal
from labelling.models.item import Item
from labelling.models.project import Label, Membership, Project, Question
from labelling.models.queue import Lease, Queue, QueueEntry, Wanted
from labelling.models.suggestion import Suggestion
from labelling.models.user import User

__all__ = [
    "Annotation",
    "Consensus",
    "ImportJob",
    "ImportRefusal",
    "Item",
    "Label",
    "Lease",
    "Membership",
    "Project",
    "Question",
    "Queue",
    "QueueEntry",
    "Suggestion",
    "User",
    "Wanted",
]
