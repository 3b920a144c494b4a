"""Labels from a table: stored as answers of nobody, where people have not answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from labelling.core.sources import Entry, EntryRefused
from labelling.core.sources.base import clean_text
from labelling.models import Annotation, ImportJob, ImportRefusal, Item, Label, Question, User
from labelling.selectors import standing
from labelling.services.annotations import annotation_record

# In the place of a person. A form accepts no name with a space, so nobody else can have it.
NOBODY = "imported labels"
SOURCE = "import"
_UUIDS = UUID("6f1c1f6e-6d4b-5d0a-9f0e-3b1d1b7f5a10")
SHOWN = 12

Known = Mapping[str, Sequence[Item]]


@dataclass
class LabelsTaken:
    accepted: int = 0
    duplicates: int = 0  # it had that label already
    refusals: list[ImportRefusal] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked:
    question: Question
    labels: Mapping[str, Label]


def labels_take(*, job: ImportJob, entries: Sequence[Entry]) -> LabelsTaken:
    """Store the entries' labels. What people said of an image stays; what was imported before is replaced.

    Call it in the transaction that counts them, before any row is locked.
    """
    taken = LabelsTaken()
    by_digest, by_name = _items(job, entries)
    asked = {
        question.key: _Asked(question, {label.name: label for label in question.labels.all()})
        for question in job.project.questions.prefetch_related("labels")
    }
    for entry in entries:
        try:
            entry.read()
            item = _item(entry, by_digest, by_name)
            about = _question(entry, asked)
            if _store(job, entry, item, about):
                taken.accepted += 1
            else:
                taken.duplicates += 1
        except EntryRefused as reason:
            refusal = ImportRefusal(row=entry.row, name=entry.name, reason=clean_text(str(reason)))
            taken.refusals.append(refusal)
    return taken


def nobody() -> User:
    """Whose answers imported labels are: a user who cannot sign in and belongs to no project."""
    found = User.objects.filter(username=NOBODY).first()
    if found is None:
        made = User(username=NOBODY, is_active=False)
        made.set_unusable_password()
        User.objects.bulk_create([made], ignore_conflicts=True)
        found = User.objects.get(username=NOBODY)
    return found


def _items(job: ImportJob, entries: Sequence[Entry]) -> tuple[Known, Known]:
    digests = {str(entry.metadata["sha256"]) for entry in entries if entry.metadata.get("sha256")}
    names = {entry.name for entry in entries if entry.metadata and not entry.metadata["sha256"]}
    every = Item.objects.filter(project=job.project_id)
    by_digest: dict[str, list[Item]] = {}
    by_name: dict[str, list[Item]] = {}
    for item in every.filter(digest__in=digests) if digests else ():
        by_digest.setdefault(item.digest, []).append(item)
    for item in every.filter(name__in=names) if names else ():
        by_name.setdefault(item.name, []).append(item)
    return by_digest, by_name


def _item(entry: Entry, by_digest: Known, by_name: Known) -> Item:
    digest = entry.metadata["sha256"]
    found = by_digest.get(digest, ()) if digest else by_name.get(entry.name, ())
    here = f"Line {entry.row}"
    if not found:
        raise EntryRefused(f"{here} names an image that the project does not have.")
    if len(found) > 1:
        raise EntryRefused(f"{here} names {len(found)} images of that name: give the SHA-256 of one.")
    return found[0]


def _question(entry: Entry, asked: Mapping[str, _Asked]) -> tuple[Question, Label]:
    here, key = f"Line {entry.row}", entry.metadata["question"]
    if not key and len(asked) > 1:
        raise EntryRefused(f"{here} names no question; there are: {_shown(asked)}.")
    about = asked.get(key) if key else next(iter(asked.values()))
    if about is None:
        raise EntryRefused(f"{here}: there is no question '{key[:60]}'; there are: {_shown(asked)}.")
    label = about.labels.get(entry.metadata["label"])
    if label is None:
        said = entry.metadata["label"][:60]
        raise EntryRefused(f"{here}: there is no label '{said}'; there are: {_shown(about.labels)}.")
    return about.question, label


def _shown(names: Mapping[str, object]) -> str:
    return ", ".join(list(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _store(job: ImportJob, entry: Entry, item: Item, about: tuple[Question, Label]) -> bool:
    """Whether it is new. Raises EntryRefused where people said something else."""
    question, label = about
    said = list(standing().filter(item=item, question=question, kind=Annotation.Kind.ANSWER))
    people = [one for one in said if one.source != SOURCE]
    if any(one.label_id == label.pk for one in said):
        return False
    if people:
        names = ", ".join(sorted({one.label.name for one in people if one.label}))
        raise EntryRefused(f"Line {entry.row}: people have answered '{names}', which stays.")
    annotation_record(
        project=job.project,
        annotator=nobody(),
        # The same row of the same import is stored once, however often it is read.
        uuid=uuid5(_UUIDS, f"{job.pk}/{entry.row}"),
        item=item,
        question=question,
        label=label,
        seconds=None,
        source=SOURCE,
    )
    return True
