"""Which version answers a project's clients. Every switch leaves a Decision in the same transaction."""

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, QuerySet

from labelling.models import Project, Question, User
from learning.models import ModelVersion
from learning.selectors import measured_on
from serving.core.promotion import ON_THE_HOLDOUT, Evidence, evidence_json, verdict, with_bar
from serving.models import Decision, Deployment, Rollout
from serving.services.rollouts import rollout_end
from serving.services.switching import champion_pass_over, champion_set, deployment_locked


class PromotionRefused(ValueError):
    """The sentence to show."""


def deployments_create_missing() -> None:
    """A Deployment for every question that has a model and none yet."""
    missing = Question.objects.filter(learner__model_versions__isnull=False, deployment__isnull=True)
    Deployment.objects.bulk_create(
        [Deployment(project_id=one.project_id, question=one) for one in missing.distinct()],
        ignore_conflicts=True,
    )


def deployments_consider() -> list[Decision]:
    """Look at the newest version of every automatic deployment that has one it has not looked at.

    While a rollout compares two versions, newer ones wait.
    """
    waiting = (
        Deployment.objects.filter(automatic=True)
        .annotate(newest=Max("question__learner__model_versions__number"))
        .filter(newest__gt=F("considered"))
        .exclude(Exists(_live_rollouts(OuterRef("question"))))
        .values_list("pk", flat=True)
    )
    decisions = [deployment_consider(deployment_id=pk) for pk in list(waiting)]
    return [decision for decision in decisions if decision is not None]


@transaction.atomic
def deployment_consider(*, deployment_id: int) -> Decision | None:
    """Decide on the question's newest version; None if someone else did, or it is pinned by a person.

    Locks the deployment row: a person's promotion and this rule never interleave.
    """
    deployment = Deployment.objects.select_for_update(of=("self",)).filter(pk=deployment_id).first()
    if deployment is None or not deployment.automatic:
        return None
    if _live_rollouts(deployment.question_id).exists():
        return None
    candidate = ModelVersion.objects.filter(
        learner__question=deployment.question_id, number__gt=deployment.considered
    ).first()  # the newest: versions are ordered by falling number
    if candidate is None:
        return None
    champion = deployment.champion
    found = _with_bar(deployment, champion) if champion else None
    judged = verdict(found, evidence_of(candidate))
    if judged.action == "promote":
        champion_set(deployment, candidate)
    else:
        champion_pass_over(deployment, candidate)
    return Decision.objects.create(
        project_id=deployment.project_id,
        model_version=candidate,
        previous=champion,
        action=judged.action,
        rule=judged.rule,
        reason=judged.reason,
        evidence=evidence_json(found, evidence_of(candidate)),
    )


@transaction.atomic
def deployment_promote(*, project: Project, version: ModelVersion, actor: User, reason: str) -> Decision:
    """A person makes a version its question's champion. It stays until a person says otherwise: automatic
    goes off, and a rollout of the question ends.

    Locks the deployment row. Raises PromotionRefused for another project's version.
    """
    if version.project_id != project.pk:
        raise PromotionRefused(f"Version {version.number} belongs to another project than {project.name}.")
    deployment = deployment_locked(version.learner.question)
    champion = deployment.champion
    deployment.automatic = False
    champion_set(deployment, version)
    for rollout in _live_rollouts(deployment.question_id):
        rollout_end(
            rollout=rollout, actor=actor, reason=f"{actor} promoted version {version.number} meanwhile."
        )
    return Decision.objects.create(
        project=project,
        model_version=version,
        previous=champion,
        action="promote",
        rule="person",
        reason=reason,
        evidence=evidence_json(evidence_of(champion) if champion else None, evidence_of(version)),
        actor=actor,
    )


@transaction.atomic
def deployment_automatic_set(
    *, project: Project, automatic: bool, actor: User, question: Question | None = None
) -> Deployment:
    """Let the rule promote, or not, the question's versions: the first question's if none is given.

    A change is a Decision on the version that answers now.
    """
    deployment = deployment_locked(question or project.questions.all()[0])
    if deployment.automatic == automatic:
        return deployment
    deployment.automatic = automatic
    deployment.save(update_fields=["automatic", "updated_at"])
    champion = deployment.champion
    if champion is not None:
        Decision.objects.create(
            project=project,
            model_version=champion,
            previous=champion,
            action="automatic-on" if automatic else "automatic-off",
            rule="person",
            reason=f"{actor} switched automatic promotion {'on' if automatic else 'off'}.",
            evidence=evidence_json(evidence_of(champion), evidence_of(champion)),
            actor=actor,
        )
    return deployment


def evidence_of(version: ModelVersion) -> Evidence:
    metrics = version.metrics
    basis = f"by {measured_on(metrics)}" if metrics.get("basis") else ON_THE_HOLDOUT
    return Evidence(
        version=version.number,
        accuracy=metrics.get("accuracy"),
        low=metrics.get("accuracy_low"),
        high=metrics.get("accuracy_high"),
        holdout_labels=version.holdout_labels,
        basis=basis,
    )


def _with_bar(deployment: Deployment, champion: ModelVersion) -> Evidence:
    """What champions before it set as a bar holds until a person decides, or other labels are told apart."""
    found = evidence_of(champion)
    last = Decision.objects.filter(model_version__learner__question=deployment.question_id).first()
    before = last.previous if last is not None else None
    if last is None or before is None or last.actor_id is not None or last.rollout_id is not None:
        return found
    if before.card.get("classes") != champion.card.get("classes"):
        return found
    return with_bar(found, Evidence(**last.evidence["champion"]))


def _live_rollouts(question_id: int | OuterRef) -> QuerySet[Rollout]:
    return Rollout.objects.filter(question=question_id, state__in=Rollout.LIVE)
