from django.http import HttpRequest

from labelling.models import User


class SignedInRequest(HttpRequest):
    """What a view behind LoginRequiredMixin receives."""

    user: User
