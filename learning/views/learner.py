from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.forms import model_to_dict
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views import View

from labelling.models import Membership
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from learning.core.methods import METHODS
from learning.core.strategies import STRATEGIES
from learning.forms import LearnerForm
from learning.policy_selectors import augmentations_of
from learning.selectors import backbones_of, learner_of, methods_lacking, methods_offered
from learning.services.learners import learner_update


class LearnerView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._page(request, slug, None)

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        return self._page(request, slug, request.POST)

    def _page(self, request: SignedInRequest, slug: str, sent: QueryDict | None) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        learner = learner_of(project)
        backbones = backbones_of(project)
        augmentations = augmentations_of(project)
        form = LearnerForm(sent, model_to_dict(learner) if learner else None, backbones, augmentations)
        if learner and form.is_valid():
            try:
                learner_update(learner=learner, **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                messages.success(request, "The learner is changed. The queue is ranked again by it.")
                return redirect("learning:learner", slug)
        offered, lacking = methods_offered(learner), methods_lacking(learner)
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "learner",
            "learner": learner,
            "form": form,
            "strategies": STRATEGIES.values(),
            "methods": [
                (method, lacking.get(name, ""))
                for name, method in METHODS.items()
                if name in offered or name in lacking
            ],
            "backbones": backbones.items(),
            "augmentations": [(name, *words) for name, words in augmentations.items()],
        }
        return render(request, "learning/learner.html", context, status=422 if form.errors else 200)
