"""Arms that fail, or cannot be loaded, through the real HTTP API: whom clients hear, and how it ends."""

import pytest

from serving.core.modes import ab, bandit, canary, interleaving, shadow
from serving.models import Arm, Prediction, Rollout
from serving.selectors.evidence import evidence_of
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import begun, images, rollout
from tests.serving.test_rollouts import ends, labelled


def test_an_image_on_which_a_shadow_fails_again_and_again_is_one_error(service: Service) -> None:
    rolled = rollout(service, "shadow", trained.version(service.project, features=10))
    labelled(rolled, 2)
    [first, second] = [image for image, _ in images(2)]
    for image in (first, second, first, first):
        rolled.ask(image)
    until(lambda: Prediction.objects.filter(status="broken").count() == 4)
    found = evidence_of(rolled.row)
    assert isinstance(found, shadow.Evidence)
    assert (found.errors, found.pairs) == (2, 0)
    # What it would have been told of it was wrong.
    assert (found.only_old, found.both_right) == (2, 0)
    assert (found.champion_labels.mean, found.challenger_labels.mean) == (1, 0)


def test_an_arm_that_fails_is_answered_for_and_taken_back(service: Service) -> None:
    broken = trained.version(service.project, features=10)
    rolled = rollout(
        service, "canary", broken, steps=[0.5], hold_seconds=3600, min_requests=1000, errors_in_a_row=5
    )
    asked = [rolled.ask(image) for image, _ in images(24)]
    assert {one["model"]["version"] for one in asked} == {service.version.number}
    failed = Prediction.objects.filter(rollout=rolled.pk, status="failed")
    assert failed.count() == sum(one["arm"] == "challenger" for one in asked) > 5
    page = rolled.manager.get(f"/projects/{service.project.slug}/rollouts/{rolled.pk}/").content.decode()
    assert f"The challenger failed on {failed.count()} images" in page
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("roll_back", "errors-in-a-row")
    ends(rolled, Rollout.State.ROLLED_BACK)


@pytest.mark.parametrize("mode", ["ab", "bandit", "interleaving"])
def test_answers_that_failed_count_as_wrong_and_too_many_of_them_end_it(service: Service, mode: str) -> None:
    broken = trained.version(service.project, features=10)
    rolled = rollout(service, mode, broken, max_errors=0.5)
    asked = rolled.ask_and_report(24)
    failed = sum(one["arm"] == "challenger" for one in asked)
    found = evidence_of(rolled.row)
    assert (found.failures.answered, found.failures.errors) == (0, failed)  # type: ignore[attr-defined]
    if isinstance(found, ab.Evidence):
        assert (found.metrics["accuracy"].challenger.n, found.metrics["accuracy"].challenger.y) == (failed, 0)
        assert (found.weighted["challenger"].n, found.weighted["challenger"].wy) == (failed, 0)
    if isinstance(found, bandit.Evidence):
        assert (found.answers["challenger"].right, found.answers["challenger"].wrong) == (0, failed)
        assert found.contrast is not None
        assert (found.contrast.n, found.contrast.r) == (24, 24 - failed)
    if isinstance(found, interleaving.Evidence):
        assert (found.wins_champion, found.wins_challenger) == (24, 0)
    Rollout.objects.filter(pk=rolled.pk).update(config={**rolled.row.config, "max_errors": 0.01})
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("roll_back", "errors")


def test_a_canarys_failed_answers_count_as_wrong_too(service: Service) -> None:
    rolled = rollout(service, "canary", trained.version(service.project, features=10), steps=[0.5])
    failed = sum(one["arm"] == "challenger" for one in rolled.ask_and_report(16))
    found = evidence_of(rolled.row)
    assert isinstance(found, canary.Evidence)
    [labels] = found.labels
    assert (labels.challenger_labels, labels.challenger_right) == (failed, 0)
    assert labels.champion_right == labels.champion_labels == 16 - failed
    assert (found.weighted["challenger"].n, found.weighted["challenger"].wy) == (failed, 0)


def test_a_model_that_cannot_be_loaded_is_taken_back_at_once(service: Service) -> None:
    rolled = begun(service, "canary", trained.bare_version(service.project))
    until(lambda: Arm.objects.get(rollout=rolled.pk, name="challenger").load_error != "", 60)
    assert "model" not in rolled.ask(next(images(1))[0])
    decision = rolled.look()
    assert decision is not None
    assert (decision.action, decision.rule) == ("roll_back", "load-failed")
    ends(rolled, Rollout.State.ROLLED_BACK)
