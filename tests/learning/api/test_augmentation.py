"""What cannot be searched, asked for by a program: one sentence, and nothing begins."""

import pytest
from django.test import Client

from labelling.models import Membership
from learning.models import PolicySearch, PretrainingRun
from learning.services.learners import learners_ensure
from tests import factories
from tests.learning.digits import digits_project, label_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager() -> Client:
    project, truth = digits_project(40)
    learners_ensure()
    label_items(project, truth, 28)
    client = Client()
    client.force_login(factories.member(project, Membership.Role.MANAGER))
    client.defaults["SLUG"] = project.slug
    return client


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('{"space": {"operations": []}}', "The search space has no operation: choose at least one."),
        ('{"trials": 0}', "The number of trials must be a whole number from 1 to 100,000, not 0."),
        ('{"rate": 0}', "The controller's learning rate must be above 0 and at most 1, not 0."),
        ('{"rate": -0.1}', "The controller's learning rate must be above 0 and at most 1, not -0.1."),
        ('{"rate": 1e999}', "The controller's learning rate must be above 0 and at most 1, not inf."),
        ('{"rate": NaN}', "JSON parse error - Out of range float values are not JSON compliant: 'NaN'"),
        ('{"rate": "nan"}', "The controller's learning rate must be above 0 and at most 1, not 'nan'."),
        ('{"child": {"rate": 0}}', "A child's learning rate must be above 0 and below 1, not 0."),
        (
            '{"trials": 1' + 4000 * "0" + "}",
            "The number of trials must be a whole number from 1 to 100,000, not "
            "100000000000000000...0000000000000000000.",
        ),
        (
            '{"search": "' + 4000 * "a" + '"}',
            f"There is no search '{27 * 'a'}...{28 * 'a'}'; there are: density-matching, ppo, random, "
            "reinforce.",
        ),
        (
            '{"fraction": 0.04}',
            "4% of the labels are to be used. There is 1 label for 10 classes: a search needs one of each at "
            "least.",
        ),
        (
            '{"fraction": 0.1}',
            "10% of the labels are to be used. There are 3 labels for 10 classes: a search needs one of "
            "each at least.",
        ),
    ],
)
def test_a_bad_request_gets_one_sentence(manager: Client, config: str, sentence: str) -> None:
    answer = manager.post(
        f"/api/v1/projects/{manager.defaults['SLUG']}/augmentation",
        f'{{"config": {config}}}',
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})
    assert not PolicySearch.objects.exists()


@pytest.mark.parametrize(
    ("address", "body", "sentence"),
    [
        ("augmentation", {"trials": 5}, "'trials' cannot be sent here, only: config, minutes."),
        ("augmentation", {"mintues": 5}, "'mintues' cannot be sent here, only: config, minutes."),
        (
            "learner/pretraining",
            {"method": "vicreg", "batch_size": 32},
            "'batch_size' cannot be sent here, only: method, minutes, batch.",
        ),
        (
            "learner/pretraining",
            {"method": "vicreg", "state": "done"},
            "'state' cannot be sent here, only: method, minutes, batch.",
        ),
        ("augmentation", {"minutes": True}, "minutes: A valid number is required, not true or false."),
        ("augmentation", {"minutes": 1e9}, "It cannot take 1,000,000,000 minutes: give 0.1 to 1,440."),
        (
            "learner/pretraining",
            {"method": "vicreg", "minutes": 1e9},
            "It cannot take 1,000,000,000 minutes: give 0.1 to 240.",
        ),
        (
            "learner/pretraining",
            {"method": "vicreg", "batch": 10**399},
            f"A batch of 1{17 * '0'}...{19 * '0'} cannot be: give 2 to 4,096 images.",
        ),
        (
            "learner/pretraining",
            {"method": 3_000 * "a"},
            f"There is no pretraining '{27 * 'a'}...{28 * 'a'}'; choose one of by-itself, "
            "fine-tuning, masked, meta-learning, pca, simclr, softmatch, vicreg.",
        ),
    ],
)
def test_a_setting_in_the_wrong_place_is_not_left_out_without_a_word(
    manager: Client, address: str, body: dict[str, object], sentence: str
) -> None:
    answer = manager.post(
        f"/api/v1/projects/{manager.defaults['SLUG']}/{address}", body, content_type="application/json"
    )
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})
    assert not PolicySearch.objects.exists()
    assert not PretrainingRun.objects.exists()


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "augmentation"),
        ("PATCH", "augmentation"),
        ("POST", "augmentation/policies"),
        ("POST", "learner/pretraining"),
        ("PATCH", "learner"),
        ("POST", "rules"),
    ],
)
def test_a_form_is_not_taken_for_json(manager: Client, method: str, address: str) -> None:
    answer = manager.generic(
        method,
        f"/api/v1/projects/{manager.defaults['SLUG']}/{address}",
        "config=1",
        content_type="application/x-www-form-urlencoded",
    )
    sentence = "A body of type 'application/x-www-form-urlencoded' is not read here: send application/json."
    assert (answer.status_code, answer.json()) == (415, {"detail": sentence})
    assert not PolicySearch.objects.exists()


def test_what_get_shows_can_be_sent(manager: Client) -> None:
    address = f"/api/v1/projects/{manager.defaults['SLUG']}"
    usual = manager.get(f"{address}/augmentation").json()["usual"]
    assert "seed" not in usual  # it is drawn
    assert (usual["child"]["labels"], usual["child"]["looked_at"]) == (200, 4_000)
    assert "rand-augment" in usual["fixed"]
    begun = manager.post(f"{address}/augmentation", {"config": usual}, content_type="application/json")
    assert begun.status_code == 201
    refused = manager.patch(
        f"{address}/augmentation", {"action": "pause", "foo": 1}, content_type="application/json"
    )
    assert (refused.status_code, refused.json()) == (
        400,
        {"detail": "'foo' cannot be sent here, only: action."},
    )
    empty = {"method": "vicreg", "minutes": None, "batch": None}
    learned = manager.post(f"{address}/learner/pretraining", empty, content_type="application/json")
    assert (learned.status_code, learned.json()["newest"]["batch"]) == (201, None)
    gone = manager.get(f"{address}/augmentation/policies/99")
    assert (gone.status_code, gone.json()) == (
        404,
        {"detail": "The project keeps no such policy: it may have been deleted meanwhile."},
    )
