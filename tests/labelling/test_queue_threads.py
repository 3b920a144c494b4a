"""Many people at once, on real connections: what the row locks and the unique slot must guarantee."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from labelling.core.aggregation import majority
from labelling.models import Annotation, Consensus, Item, Label, Lease, Project, User
from labelling.selectors import standing
from labelling.services.annotations import annotation_record, annotation_undo
from labelling.services.leases import lease_items
from labelling.services.queue import RankedItem, queue_swap
from tests import factories
from tests.labelling.threads import at_once, items_of

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 8


def swap(project: Project, items: list[Item]) -> None:
    queue_swap(
        project=project,
        entries=[RankedItem(item.pk, 0.0, None, None) for item in items],
        round_number=None,
        strategy="random",
        reason="",
        model_digest="",
        through_annotation=0,
    )


def watch(project: Project, over: threading.Event) -> None:
    """Look all the time whether anything exceeds the overlap: one statement sees one moment."""
    while not over.is_set():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                select item.id from labelling_item item where item.project_id = %s and item.answers
                    + (select count(*) from labelling_lease held
                       where held.item_id = item.id and held.expires_at > now()) > %s
                union all
                select item_id from labelling_lease where project_id = %s and expires_at > now()
                group by item_id, annotator_id having count(*) > 1
                """,
                [project.pk, project.overlap, project.pk],
            )
            assert cursor.fetchall() == []


def play(project: Project, who: User, seed: int) -> None:
    """Label until nothing is left: with retries, undos, reloads and overlapping requests in between."""
    rng = random.Random(seed)
    question = project.questions.get()
    labels = list(Label.objects.filter(question=question))
    idle = 0
    while idle < 40:
        leases = lease_items(project=project, annotator=who, count=rng.randint(1, 4))
        assert len({lease.item_id for lease in leases}) == len(leases)
        idle = 0 if leases else idle + 1
        if not leases:
            time.sleep(0.01)
        for lease in leases[: rng.randint(1, 4)]:
            uuid = uuid4()
            for _again in range(rng.choice((1, 1, 2))):
                stored = annotation_record(
                    project=project,
                    annotator=who,
                    uuid=uuid,
                    item=lease.item,
                    question=question,
                    label=rng.choice(labels),
                    seconds=0.1,
                )
            if rng.random() < 0.15:
                undo = uuid4()
                for _again in range(rng.choice((1, 2))):
                    annotation_undo(project=project, annotator=who, uuid=undo, undoes=stored.uuid)


@pytest.mark.parametrize("overlap", [1, 2])
def test_eight_people_finish_every_item_and_never_exceed_the_overlap(overlap: int) -> None:
    project = factories.project(overlap=overlap, holdout_queue_share=0.3)
    pool = items_of(project, 120, holdout=30)
    swap(project, pool[:60])
    people = [factories.member(project) for _ in range(PEOPLE)]
    over = threading.Event()

    def run(number: int) -> Callable[[], None]:
        return lambda: play(project, people[number], number)

    watcher_errors: list[BaseException] = []

    def watched() -> None:
        try:
            watch(project, over)
        except BaseException as error:
            watcher_errors.append(error)
        finally:
            connection.close()

    def swapping() -> None:
        for _ in range(10):
            swap(project, pool[:90])
            time.sleep(0.05)

    watcher = threading.Thread(target=watched)
    watcher.start()
    try:
        at_once(*(run(number) for number in range(PEOPLE)), swapping)
    finally:
        over.set()
        watcher.join()
    assert watcher_errors == []

    assert not Item.objects.filter(project=project, open=True).exists()
    assert not Lease.objects.filter(project=project).exists()
    stand = list(standing().filter(project=project))
    assert Counter(one.item_id for one in stand) == dict.fromkeys(_ids(project), overlap)
    assert max(Counter((one.item_id, one.annotator_id) for one in stand).values()) == 1
    for consensus in Consensus.objects.filter(project=project):
        verdict = majority(
            [one.label_id for one in stand if one.item_id == consensus.item_id and one.label_id]
        )
        assert verdict is not None
        assert (consensus.label_id, consensus.answers) == (verdict.label, verdict.answers)


def _ids(project: Project) -> list[int]:
    return list(Item.objects.filter(project=project).values_list("id", flat=True))


def test_two_requests_of_one_person_at_once_never_take_an_item_twice() -> None:
    project = factories.project(overlap=2, holdout_queue_share=0.0)
    items_of(project, 60)
    who = factories.member(project)

    def reload() -> None:
        for _ in range(15):
            lease_items(project=project, annotator=who, count=4)

    at_once(*([reload] * 4))
    held = list(
        Lease.objects.filter(project=project, expires_at__gt=timezone.now()).values_list("item_id", flat=True)
    )
    assert len(held) == len(set(held))


def test_the_same_answer_sent_eight_times_at_once_is_stored_once() -> None:
    project = factories.project()
    who, item, uuid = factories.member(project), factories.item(project), uuid4()
    question = project.questions.get()
    label = Label.objects.filter(question=question).first()

    def send() -> None:
        annotation_record(
            project=project, annotator=who, uuid=uuid, item=item, question=question, label=label, seconds=None
        )

    at_once(*([send] * 8))
    assert Annotation.objects.filter(uuid=uuid).count() == Annotation.objects.count() == 1


def test_while_the_ranking_is_swapped_nobody_gets_an_empty_or_an_unranked_answer() -> None:
    project = factories.project(holdout_queue_share=0.0, lease_seconds=5)
    pool = items_of(project, 3000)
    swap(project, pool)
    people = [factories.member(project) for _ in range(4)]
    over = threading.Event()
    sources: Counter[str] = Counter()

    def swapping() -> None:
        for _ in range(12):
            swap(project, random.Random(1).sample(pool, 2500))
        over.set()

    def asking(who: User) -> Callable[[], None]:
        def ask() -> None:
            while not over.is_set():
                leases = lease_items(project=project, annotator=who, count=3)
                assert len(leases) == 3
                sources.update(lease.source for lease in leases)
                Lease.objects.filter(pk__in=[lease.pk for lease in leases]).delete()

        return ask

    at_once(swapping, *(asking(who) for who in people))
    assert set(sources) == {"ranked"}
    assert sum(sources.values()) > 100


def test_an_expired_lease_goes_to_exactly_one_other_person() -> None:
    project = factories.project(holdout_queue_share=0.0)
    items_of(project, 10)
    first, *others = [factories.member(project) for _ in range(PEOPLE)]
    lease_items(project=project, annotator=first, count=10)
    Lease.objects.filter(project=project).update(expires_at=timezone.now() - timedelta(seconds=1))
    got: list[int] = []

    def ask(who: User) -> Callable[[], None]:
        return lambda: got.extend(one.item_id for one in lease_items(project=project, annotator=who, count=4))

    at_once(*(ask(who) for who in others))
    assert len(got) == len(set(got))
    assert not Lease.objects.filter(project=project, annotator=first, expires_at__gt=timezone.now()).exists()
    assert Lease.objects.filter(project=project).count() == 10
