"""A manager ends a training: it stops in the middle of its fit, not after it."""

from collections.abc import Callable, Sequence

import pytest
from django.db import connection

from labelling.models import Item
from learning.models import ModelVersion
from learning.services import work
from learning.services.learners import learner_update
from learning.services.runs import trainings_end
from learning.services.training import run_train
from tests.learning.digits import digits_project, due_run, embed_all, label_items, learner_of

pytestmark = pytest.mark.django_db


def test_it_stops_within_the_fit_and_publishes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "LOOK_SECONDS", 0.0)
    project, truth = digits_project(80)
    embed_all()
    label_items(project, truth, 40)
    learner_update(learner=learner_of(project), method="auto")
    stages: list[str] = []
    looks_after: list[str] = []

    def see(
        execute: Callable[..., object],
        sql: str,
        params: Sequence[object] | None,
        many: bool,
        context: dict[str, object],
    ) -> object:
        result = execute(sql, params, many, context)
        if stages and sql.startswith("UPDATE") and "learning_trainingrun" in sql:
            looks_after.append(sql)
        told = [one for one in params or () if isinstance(one, str) and "learning by" in one]
        if told and not stages:
            stages.extend(told)
            trainings_end(project=project)
            looks_after.clear()
        return result

    run = due_run()
    with connection.execute_wrapper(see):
        assert not run_train(run_id=run.pk)

    assert stages == ["training on 40 labels: learning by Transfer"]
    assert len(looks_after) == 1, "the fit went on after the look that found it ended"
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", run.ENDED)
    assert not ModelVersion.objects.filter(project=project).exists()
    # What comes next is trained as ever.
    label_items(project, truth, 1)
    label_items(project, truth, 5, Item.Split.HOLDOUT)
    assert run_train(run_id=due_run().pk)
