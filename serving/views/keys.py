from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View

from labelling.models import Membership, Project
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from serving import selectors
from serving.models import ApiKey, Scope
from serving.services.keys import key_create, key_revoke
from serving.views.example import predict_example

_MAY = [
    ("predict feedback", "Ask for predictions and give feedback"),
    ("predict", "Ask for predictions only"),
    ("feedback", "Give feedback only"),
]


class KeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Who or what will use it.")
    scopes = forms.ChoiceField(label="It may", choices=_MAY, required=False)
    requests_per_second = forms.FloatField(
        label="Requests a second",
        required=False,
        min_value=0.01,
        max_value=100_000,
        help_text="At most, by this key; as many as it likes if empty.",
        error_messages={
            "invalid": "Write the number of requests a second, such as 10, or nothing.",
            "min_value": "A key must be able to ask now and then: 0.01 requests a second or more.",
            "max_value": "At most 100,000 requests a second; leave it empty for no limit.",
        },
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
    )

    def clean_scopes(self) -> list[str]:
        """All, unless told otherwise."""
        return (self.cleaned_data["scopes"] or _MAY[0][0]).split()


class KeysView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        return _page(request, project, KeyForm())

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Shows the new key in the answer itself: it is stored nowhere, so it cannot survive a redirect."""
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = KeyForm(request.POST)
        if not form.is_valid():
            return _page(request, project, form, status=422)
        key, plain = key_create(project=project, user=request.user, **form.cleaned_data)
        example = predict_example(request, project, plain) if Scope.PREDICT in key.scopes else ""
        return _page(request, project, KeyForm(), made=key, plain=plain, example=example)


class KeyRevokeView(LoginRequiredMixin, View):
    http_method_names = ["post"]

    def post(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        key = key_revoke(key=get_object_or_404(ApiKey, project=project, pk=pk))
        messages.success(request, f"The key '{key.name}' opens nothing any more, within a second.")
        return redirect("serving:keys", project.slug)


def _page(
    request: SignedInRequest, project: Project, form: KeyForm, status: int = 200, **made: object
) -> HttpResponse:
    context = {
        "project": project,
        "role": role_of(request.user, project),
        "tab": "keys",
        "form": form,
        "keys": selectors.keys_of(project),
        **made,
    }
    return render(request, "serving/keys.html", context, status=status)
