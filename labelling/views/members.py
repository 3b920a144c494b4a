from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from labelling.forms import MemberForm, take_errors
from labelling.models import Membership, Project, User
from labelling.selectors import project_for, role_of
from labelling.services.projects import member_remove, member_set
from labelling.views.access import SignedInRequest


class MembersView(LoginRequiredMixin, View):
    """Who may do what here. One form adds a person; each row changes a role or removes its person."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        return self._page(request, project, MemberForm())

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        form = MemberForm(request.POST)
        removing = request.POST.get("action") == "remove"
        if removing:
            form.fields["role"].required = False
        if form.is_valid():
            name = form.cleaned_data["username"]
            try:
                user = _named(name)
                if removing:
                    member_remove(project=project, user=user)
                    messages.success(request, f"{name} is no longer a member.")
                else:
                    member_set(project=project, user=user, role=form.cleaned_data["role"])
                    messages.success(request, f"{name} is now {form.cleaned_data['role']}.")
            except ValidationError as error:
                take_errors(form, error)
            else:
                if role_of(request.user, project) != Membership.Role.MANAGER:  # they have just stepped down
                    return redirect("labelling:projects")
                return redirect("labelling:members", slug)
        return self._page(request, project, form)

    def _page(self, request: SignedInRequest, project: Project, form: MemberForm) -> HttpResponse:
        context = {
            "project": project,
            "role": role_of(request.user, project),
            "tab": "members",
            "form": form,
            "memberships": project.memberships.select_related("user").order_by("user__username"),
            "roles": Membership.Role.choices,
        }
        return render(request, "labelling/members.html", context, status=422 if form.errors else 200)


def _named(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise ValidationError(
            {"username": [f"There is no user called '{username}'. Users are made in the admin."]}
        )
    return user
