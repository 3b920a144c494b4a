from django.contrib.auth.mixins import LoginRequiredMixin
from django.views import View


class ImportsView(LoginRequiredMixin, View):
    """The uploads of a project."""


class ImportView(LoginRequiredMixin, View):
    """One import and what it refused."""
