"""What models disagree on, or are unsure of, is asked of annotators in every way to try a version."""

import numpy as np
import pytest
from numpy.typing import NDArray

from labelling.models import Wanted
from serving.models import Prediction
from serving.services.production import DISAGREED_ON, UNSURE_OF
from tests.serving import trained
from tests.serving.conftest import Service, until
from tests.serving.rolled import Rolled, items_sent, production_look_now, rollout

MODES = ["ab", "bandit", "canary", "interleaving", "shadow"]
CONFIG: dict[str, dict[str, object]] = {"canary": {"steps": [0.5]}}


def asked(rolled: Rolled, reason: str) -> set[str]:
    production_look_now()
    found = Wanted.objects.filter(project=rolled.service.project, reason=reason, kind=Wanted.Kind.TRAFFIC)
    return set(found.values_list("item__digest", flat=True))


@pytest.mark.parametrize("mode", MODES)
def test_what_two_models_take_for_something_else_is_asked(service: Service, mode: str) -> None:
    # It is wrong about every image.
    other = trained.version(service.project, seed=1, taught=(1, 0))
    rolled = rollout(service, mode, other, audit_share=0.0, **CONFIG.get(mode, {}))
    items_sent(rolled, 16)
    answers = Prediction.objects.filter(rollout=rolled.pk)
    if mode == "shadow":
        until(lambda: answers.filter(status="shadow").count() == 16)
    both = answers.exclude(arm="champion")
    seen = set(both.values_list("digest", flat=True))
    assert seen
    assert asked(rolled, DISAGREED_ON) == seen
    # Where the champion answers alone, nobody knows what the other would have said.
    assert (len(seen) < 16) == (mode in ("ab", "bandit", "canary"))


@pytest.mark.parametrize("mode", MODES)
def test_what_both_take_for_the_same_is_not(service: Service, mode: str) -> None:
    alike = trained.version(service.project, seed=1)
    rolled = rollout(service, mode, alike, audit_share=0.0, **CONFIG.get(mode, {}))
    items_sent(rolled, 16)
    if mode == "shadow":
        until(lambda: Prediction.objects.filter(rollout=rolled.pk, status="shadow").count() == 16)
    assert asked(rolled, DISAGREED_ON) == set()


@pytest.mark.parametrize("mode", MODES)
def test_what_a_model_is_unsure_of_is_asked_whichever_way_a_version_is_tried(
    service: Service, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    def doubtful(features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.tile(np.array([0.3, 0.7], np.float32), (len(features), 1))

    rolled = rollout(
        service, mode, trained.version(service.project, seed=1), audit_share=0.2, **CONFIG.get(mode, {})
    )
    for model in rolled.live.arms.values():
        monkeypatch.setattr(model.predictor, "predict_features", doubtful)
    items_sent(rolled, 24)
    drawn = Prediction.objects.filter(
        rollout=rolled.pk, audited=False, shadow_of=None, inclusion__isnull=False
    )
    assert drawn.exists()
    assert asked(rolled, UNSURE_OF) == set(drawn.values_list("digest", flat=True))
