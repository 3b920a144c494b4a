import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from labelling.models import Annotation, Consensus, Question
from tests import factories

pytestmark = pytest.mark.django_db

MODELS = [
    model for app in ("labelling", "learning", "serving") for model in apps.get_app_config(app).get_models()
]


@pytest.fixture
def superuser(client: Client) -> Client:
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_in_the_admin_and_its_list_opens(superuser: Client, model: type[Model]) -> None:
    assert model in admin.site._registry, f"register {model.__name__} in its app's admin.py"
    response = superuser.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
    assert response.status_code == 200


def test_what_only_grows_can_be_looked_at_but_not_changed(superuser: Client) -> None:
    project = factories.project()
    question = Question.objects.get(project=project)
    consensus = Consensus.objects.create(
        project=project,
        item=factories.item(project),
        question=question,
        label=question.labels.all()[0],
        answers=1,
        agreement=1,
    )
    address = f"/admin/labelling/consensus/{consensus.pk}/change/"
    assert superuser.get(address).status_code == 200
    assert superuser.post(address, {"agreement": 0}).status_code == 403
    for model in (Annotation, Consensus):
        assert superuser.get(f"/admin/labelling/{model._meta.model_name}/add/").status_code == 403


def test_what_the_loop_stands_on_is_fixed(superuser: Client) -> None:
    project = factories.project()
    question = Question.objects.get(project=project)
    label = question.labels.all()[0]
    for address, fixed in {
        f"/admin/labelling/project/{project.pk}/change/": ("slug", "seed", "holdout_share", "overlap"),
        f"/admin/labelling/question/{question.pk}/change/": ("project", "key"),
        f"/admin/labelling/label/{label.pk}/change/": ("question",),
    }.items():
        page = superuser.get(address).content.decode()
        assert not [name for name in fixed if f'name="{name}"' in page]
    assert superuser.get("/admin/labelling/question/add/").status_code == 403


def test_the_admin_is_for_staff(client: Client) -> None:
    client.force_login(factories.member(factories.project(), "manager"))
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
