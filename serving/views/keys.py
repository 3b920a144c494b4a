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
from serving.models import ApiKey
from serving.services.keys import key_create, key_revoke
from serving.views.example import predict_example


class KeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Who or what will use it.")


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
        key, plain = key_create(project=project, name=form.cleaned_data["name"], user=request.user)
        example = predict_example(request, project, plain)
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
