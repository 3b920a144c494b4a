from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.utils import timezone

from labelling.core.mixing import from_holdout
from labelling.models import Item, Lease, Project, Queue, QueueEntry
from labelling.services.leases import lease_items
from labelling.services.queue import RankedItem, queue_swap
from tests import factories

pytestmark = pytest.mark.django_db


def rank(project: Project, items: list[Item]) -> None:
    entries = [RankedItem(item.pk, 1.0 - i / 100, None, None) for i, item in enumerate(items)]
    queue_swap(
        project=project,
        entries=entries,
        round_number=3,
        strategy="margin",
        reason="because",
        model_digest="",
        through_annotation=0,
    )


def test_ranked_items_come_first_in_rank_order_then_the_rest_of_the_pool_at_random_rank() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann = factories.member(project)
    items = [factories.item(project) for _ in range(6)]
    rank(project, [items[4], items[2]])
    leases = lease_items(project=project, annotator=ann, count=4)
    assert [lease.item_id for lease in leases] == [items[i].pk for i in (4, 2, 0, 1)]
    assert [lease.source for lease in leases] == ["ranked", "ranked", "random", "random"]
    assert [lease.rank for lease in leases] == [0, 1, None, None]
    assert leases[0].round_number == 3


def test_the_holdout_is_mixed_in_at_its_share_and_never_with_a_suggestion() -> None:
    project = factories.project(holdout_queue_share=0.5, seed=7)
    ann = factories.member(project)
    for _ in range(40):
        factories.item(project)
        factories.item(project, split=Item.Split.HOLDOUT)
    sources = [lease.source for lease in lease_items(project=project, annotator=ann, count=40)]
    assert 8 <= sources.count("holdout") <= 32
    assert not Lease.objects.filter(source="holdout", suggestion__isnull=False).exists()


def test_without_a_hold_out_the_blind_ones_are_drawn_from_the_whole_pool() -> None:
    project = factories.project(holdout_share=0.0, holdout_queue_share=0.3, seed=7)
    ann = factories.member(project)
    items = [factories.item(project) for _ in range(60)]
    rank(project, items[::-1])
    leases = lease_items(project=project, annotator=ann, count=40)
    drawn = [one for one in leases if one.source == "random"]
    chosen = [one for one in leases if one.source == "ranked"]
    assert {one.pk for one in drawn} == {one.pk for one in leases if from_holdout(7, one.pk, 0.3)}
    # In the random order from one end, as ranked from the other: nobody gets an item twice.
    assert [one.item_id for one in drawn] == [item.pk for item in items[: len(drawn)]]
    assert [one.item_id for one in chosen] == [item.pk for item in items[::-1][: len(chosen)]]
    assert len(drawn) + len(chosen) == 40
    assert 4 <= len(drawn) <= 20
    # When the ranking is dry, all that is left is drawn; when it is not, nothing is asked twice.
    assert len(lease_items(project=project, annotator=factories.member(project), count=40)) == 20


def test_a_ranking_may_ask_for_more_blind_questions_but_not_where_none_are_asked() -> None:
    for share, most in ((0.1, 40), (0.0, 0)):
        project = factories.project(holdout_queue_share=share, seed=7)
        for _ in range(40):
            factories.item(project)
            factories.item(project, split=Item.Split.HOLDOUT)
        Queue.objects.filter(project=project).update(blind_share=0.9)
        leases = lease_items(project=project, annotator=factories.member(project), count=40)
        blind = [one for one in leases if one.source == "holdout"]
        assert {one.pk for one in blind} == {
            one.pk for one in leases if from_holdout(7, one.pk, 0.9 if share else 0.0)
        }
        assert most // 2 <= len(blind) <= most


def test_a_dry_source_is_made_up_for_by_the_other() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann = factories.member(project)
    holdout = [factories.item(project, split=Item.Split.HOLDOUT) for _ in range(3)]
    assert [one.item_id for one in lease_items(project=project, annotator=ann, count=5)] == [
        item.pk for item in holdout
    ]
    only_blind = factories.project(holdout_queue_share=1.0)
    pool = [factories.item(only_blind) for _ in range(3)]
    leases = lease_items(project=only_blind, annotator=factories.member(only_blind), count=5)
    assert [one.item_id for one in leases] == [item.pk for item in pool]


def test_two_people_never_hold_the_same_item_until_the_lease_has_run_out() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann, ben = factories.member(project), factories.member(project)
    items = [factories.item(project) for _ in range(2)]
    assert len(lease_items(project=project, annotator=ann, count=5)) == 2
    assert lease_items(project=project, annotator=ben, count=5) == []
    Lease.objects.filter(item=items[0]).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert [one.item_id for one in lease_items(project=project, annotator=ben, count=5)] == [items[0].pk]
    assert Lease.objects.get(item=items[0]).annotator == ben


def test_with_overlap_two_an_item_goes_to_two_people_and_not_to_a_third() -> None:
    project = factories.project(holdout_queue_share=0.0, overlap=2)
    ann, ben, cai = (factories.member(project) for _ in range(3))
    factories.item(project)
    assert len(lease_items(project=project, annotator=ann, count=1)) == 1
    assert len(lease_items(project=project, annotator=ben, count=1)) == 1
    assert lease_items(project=project, annotator=cai, count=1) == []


def test_a_reloaded_page_gets_the_same_items_again() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann = factories.member(project)
    for _ in range(9):
        factories.item(project)
    first = [one.item_id for one in lease_items(project=project, annotator=ann, count=4)]
    assert [one.item_id for one in lease_items(project=project, annotator=ann, count=4)] == first
    more = [one.item_id for one in lease_items(project=project, annotator=ann, count=2, holding=first)]
    assert not set(more) & set(first)
    # What the browser does not hold and has no room for goes back.
    assert [one.item_id for one in lease_items(project=project, annotator=ann, count=1)] == first[:1]
    assert Lease.objects.count() == 1


def test_the_leases_of_held_items_are_renewed() -> None:
    project = factories.project(holdout_queue_share=0.0)
    ann = factories.member(project)
    factories.item(project)
    (lease,) = lease_items(project=project, annotator=ann, count=1)
    Lease.objects.update(expires_at=timezone.now() + timedelta(seconds=2))
    assert lease_items(project=project, annotator=ann, count=0, holding=[lease.item_id]) == []
    assert Lease.objects.get().expires_at > timezone.now() + timedelta(seconds=100)


def test_the_order_of_pool_and_holdout_is_the_draw_of_the_leases_own_numbers() -> None:
    project = factories.project(holdout_queue_share=0.4, seed=11)
    ann = factories.member(project)
    for _ in range(20):
        factories.item(project)
        factories.item(project, split=Item.Split.HOLDOUT)
    from_number = {
        lease.pk: lease.source == "holdout" for lease in lease_items(project=project, annotator=ann, count=15)
    }
    assert {number: from_holdout(11, number, 0.4) for number in from_number} == from_number


def test_a_swap_leaves_one_generation_and_the_entries_in_order(
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    project = factories.project()
    items = [factories.item(project) for _ in range(4)]
    for order in (items, items[::-1]):
        with django_capture_on_commit_callbacks(execute=True):
            rank(project, order)
    entries = QueueEntry.objects.filter(project=project).order_by("rank")
    assert [entry.item_id for entry in entries] == [item.pk for item in items[::-1]]
    project.queue.refresh_from_db()
    assert (project.queue.generation, project.queue.round_number) == (2, 3)
    assert project.queue.swapped_at is not None
