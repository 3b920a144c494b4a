"""Who may see which project, and as what."""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from labelling.models import Membership, Project, User

_RANK = {Membership.Role.ANNOTATOR: 0, Membership.Role.REVIEWER: 1, Membership.Role.MANAGER: 2}


def projects_of(user: User) -> list[Project]:
    if user.is_superuser:
        return list(Project.objects.all())
    return list(Project.objects.filter(memberships__user=user))


def role_of(user: User, project: Project) -> str | None:
    """The user's role; superusers manage everything; None for a stranger."""
    if user.is_superuser:
        return Membership.Role.MANAGER
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def project_for(user: User, slug: str, at_least: str = Membership.Role.ANNOTATOR) -> Project:
    """The project, for a member of that role or more.

    Raises Http404 for strangers (who learn nothing of its existence), PermissionDenied for a lesser role.
    """
    project = Project.objects.filter(slug=slug).first()
    role = role_of(user, project) if project and user.is_active else None
    if project is None or role is None:
        raise Http404(f"There is no project '{slug}' that you are a member of.")
    if _RANK[Membership.Role(role)] < _RANK[Membership.Role(at_least)]:
        raise PermissionDenied(f"This needs the role of {at_least} in {project.name}; yours is {role}.")
    return project
