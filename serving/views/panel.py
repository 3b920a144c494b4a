from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.shortcuts import render
from django.views import View

from labelling.models import Membership
from labelling.selectors import project_for, role_of
from labelling.views.access import SignedInRequest
from learning.selectors import measured_on
from serving import selectors
from serving.services.champions import champions
from serving.views.drift_words import drift_notices
from serving.views.example import predict_url
from serving.views.figures import accuracy_words, further_champions
from serving.views.rollout_words import kind_of


class PanelView(LoginRequiredMixin, View):
    """A fragment of the project's page."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug)
        role = role_of(request.user, project)
        deployments = selectors.deployments_of(project)
        deployment = deployments[0] if deployments else None
        champion = deployment.champion if deployment else None
        traffic = selectors.traffic_of(project)
        context = {
            "project": project,
            "trouble": champions.trouble(project.pk),
            "deployment": deployment,
            "champion": champion,
            "further": further_champions(deployments[1:]),
            "decision": selectors.champion_decision(deployment) if deployment and champion else None,
            "accuracy": accuracy_words(champion) if champion else "",
            "measured_on": measured_on(champion.metrics) if champion else "",
            "rollouts": [
                {"rollout": one, "kind": kind_of(one)} for one in selectors.rollouts_of(project) if one.live
            ],
            "drifts": drift_notices(project),
            "traffic": traffic,
            "agreed": "" if traffic.agreement is None else f"{traffic.agreement:.1%}",
            "may_look_closer": role in (Membership.Role.REVIEWER, Membership.Role.MANAGER),
            "is_manager": role == Membership.Role.MANAGER,
            "predict_url": predict_url(request, project),
        }
        return render(request, "serving/panel.html", context)
