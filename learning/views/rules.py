"""A project's rules: what each does, and the form that writes one. A worker reckons; pages show."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views import View

from labelling.forms import take_errors
from labelling.models import Item, Membership, Project
from labelling.selectors import project_for, role_of
from labelling.services.workers import workers_seen
from labelling.views.access import SignedInRequest
from learning.core.methods import METHODS
from learning.core.shown import shown
from learning.core.weak.vote_file import MOST_BYTES, read_votes
from learning.models import Learner, Rule, RuleCheck, TrainingRun, Work
from learning.rule_forms import ConditionForm, RuleForm
from learning.selectors import (
    activity,
    learner_of,
    learners_of,
    metadata_fields,
    rule_check_of,
    rules_of,
    worker_words,
)
from learning.services.learners import learner_update
from learning.services.rule_checks import DRAFT, preview_request
from learning.services.rule_contents import (
    RuleContent,
    content_of_conditions,
    content_of_rule,
    content_of_table,
)
from learning.services.rules import rule_create, rule_delete, rule_update
from learning.views.rule_words import Figures, figures_of, when_in_words

METHOD = "weak-supervision"
ACTS = ("enable", "disable", "delete")
PICTURES = 18
LIVE = (Work.State.QUEUED, Work.State.RUNNING)


class RulesView(LoginRequiredMixin, View):
    """The list; asked by htmx, only the part that changes."""

    def get(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        learners = learners_of(project)
        learner = _asked(request, project) if learners else None
        context = {
            **_context(request, project),
            "learner": learner,
            "learners": learners if len(learners) > 1 else [],
            **(_list(learner) if learner else {}),
        }
        template = "rules_list" if request.headers.get("HX-Request") else "rules"
        return render(request, f"learning/{template}.html", context)

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        """Let the models learn from the rules."""
        learner = _asked(request, project_for(request.user, slug, Membership.Role.MANAGER))
        try:
            learner_update(learner=learner, method=METHOD)
        except ValidationError as error:
            messages.error(request, error.messages[0])
        else:
            messages.success(request, "The model learns from the rules now.")
        return _to_list(learner)


class RuleView(LoginRequiredMixin, View):
    """The form of a new rule (no `pk`) or of one that is there."""

    def get(self, request: SignedInRequest, slug: str, pk: int | None = None) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        learner, rule = _rule(request, project, pk)
        form = RuleForm(None, None, _labels(learner), _initial(learner, rule) if rule else None)
        return self._page(request, learner, rule, form)

    def post(self, request: SignedInRequest, slug: str, pk: int | None = None) -> HttpResponse:
        """Save what was sent; or, with an `action`, switch the rule on or off, or delete it."""
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        learner, rule = _rule(request, project, pk)
        if rule and "action" in request.POST:
            action = request.POST["action"]
            if action in ACTS:
                messages.success(request, _act(learner, rule, action))
            else:
                messages.error(request, f"There is no action {shown(action)}; there are: {', '.join(ACTS)}.")
            return _to_list(learner)
        form = RuleForm(request.POST, request.FILES, _labels(learner))
        content = _content(learner, rule, form)
        if content:
            try:
                if rule:
                    rule_update(learner=learner, rule=rule, content=content)
                else:
                    rule_create(learner=learner, content=content)
            except ValidationError as error:
                take_errors(form, error)
            else:
                messages.success(request, f"Rule '{content.name}' is saved.")
                return _to_list(learner)
        return self._page(request, learner, rule, form, status=422)

    def _page(
        self, request: SignedInRequest, learner: Learner, rule: Rule | None, form: RuleForm, status: int = 200
    ) -> HttpResponse:
        pool = Item.objects.filter(project=learner.project_id, split=Item.Split.POOL)
        some = list(pool.filter(open=True).order_by("random_rank")[:PICTURES])
        chosen = [digest for condition in form.conditions for digest in condition.picked]
        picked = {item.digest: item for item in pool.filter(digest__in=chosen)}
        context = {
            **_context(request, learner.project),
            "rule": rule,
            "learner": learner,
            "several": learner.project.questions.count() > 1,
            "form": form,
            "conditions": [
                (
                    condition,
                    [*(picked[one] for one in condition.picked if one in picked), *_others(some, condition)],
                )
                for condition in form.conditions
            ],
            "fields": metadata_fields(learner.project),
        }
        return render(request, "learning/rule.html", context, status=status)


class RulePreviewView(LoginRequiredMixin, View):
    """What a rule that is not saved would do: a worker is asked, the part waits for it."""

    def post(self, request: SignedInRequest, slug: str) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        number = request.POST.get("rule", "")
        pk = int(number) if number.isdecimal() and len(number) < 15 else None
        learner, rule = _rule(request, project, pk)
        form = RuleForm(request.POST, request.FILES, _labels(learner))
        content = _content(learner, rule, form)
        if content is None:
            context = {"project": learner.project, "sentences": _sentences(form)}
            return render(request, "learning/rule_preview.html", context)
        check = preview_request(learner=learner, content=content, instead_of=rule)
        return _preview(request, learner.project, check)


class RuleCheckView(LoginRequiredMixin, View):
    def get(self, request: SignedInRequest, slug: str, pk: int) -> HttpResponse:
        project = project_for(request.user, slug, Membership.Role.MANAGER)
        check = get_object_or_404(RuleCheck.objects.exclude(draft__isnull=True), project=project, pk=pk)
        return _preview(request, project, check)


def _preview(request: SignedInRequest, project: Project, check: RuleCheck) -> HttpResponse:
    live = check.state in LIVE
    context = {
        "project": project,
        "check": check,
        "live": live,
        "figures": figures_of(check, DRAFT),
        "worker": worker_words(workers_seen()) if live else "",
    }
    return render(request, "learning/rule_preview.html", context)


def _list(learner: Learner) -> dict[str, Any]:
    check, newer = rule_check_of(learner)
    training = TrainingRun.objects.filter(learner=learner, state__in=LIVE).exists()
    checking = newer is not None and newer.state in LIVE
    labels = {label.pk: label.name for label in learner.question.labels.all()}
    rows: list[tuple[Rule, str, Figures | None]] = [
        (
            rule,
            when_in_words(rule, labels),
            figures_of(check, str(rule.pk)) if check and rule.enabled else None,
        )
        for rule in rules_of(learner)
    ]
    method = METHODS.get(learner.method)
    return {
        "rows": rows,
        "check": check,
        "checking": checking,
        "live": checking or training or (bool(rows) and learner.requested_at is not None),
        "failed": newer.error if newer and newer.state == Work.State.FAILED else "",
        "learns": method is not None and method.uses_rules,
        "method": method.title if method else learner.method,
        "enabled": any(rule.enabled for rule, *_ in rows),
        "activity": activity(learner.project, learner),
        "worker": worker_words(workers_seen()) if checking else "",
    }


def _content(learner: Learner, rule: Rule | None, form: RuleForm) -> RuleContent | None:
    """What the form says, as it is stored; None when it says something wrong, which stands in the form."""
    if not form.is_valid():
        return None
    sent = form.cleaned_data
    try:
        if sent["source"] == "conditions":
            return content_of_conditions(
                learner=learner, name=sent["name"], label=sent["label"], when=form.when()
            )
        file = sent["file"]
        if file is None and rule and rule.table:
            return RuleContent(**{**content_of_rule(rule).columns(), "name": sent["name"]})
        if file is None:
            raise ValidationError({"file": f"Rule '{sent['name']}': choose the table's file."})
        votes = read_votes(file.read(MOST_BYTES + 1), _labels(learner))
        return content_of_table(learner=learner, name=sent["name"], table=votes, file_name=file.name)
    except ValidationError as error:
        take_errors(form, error)
    except ValueError as error:
        take_errors(form, ValidationError({"file": f"Rule '{sent['name']}': {error}"}))
    return None


def _act(learner: Learner, rule: Rule, action: str) -> str:
    if action == "delete":
        rule_delete(learner=learner, rule=rule)
        return f"Rule '{rule.name}' is deleted."
    enabled = action == "enable"
    rule_update(learner=learner, rule=rule, enabled=enabled)
    return f"Rule '{rule.name}' votes again." if enabled else f"Rule '{rule.name}' is switched off."


def _initial(learner: Learner, rule: Rule) -> dict[str, Any]:
    names = {label.pk: label.name for label in learner.question.labels.all()}
    when = []
    for one in rule.when:
        shown = {**one, "label": names.get(one.get("label"), "")}
        when.append({**shown, "picked": shown.pop("examples", []), "examples": ""})
    return {
        "name": rule.name,
        "source": "table" if rule.table else "conditions",
        "label": rule.label.name if rule.label else "",
        "when": when,
    }


def _sentences(form: RuleForm) -> list[str]:
    errors = [form.errors, *(one.errors for one in form.conditions if one.is_bound)]
    return [str(sentence) for one in errors for sentences in one.values() for sentence in sentences]


def _others(some: list[Item], condition: ConditionForm) -> list[Item]:
    return [item for item in some if item.digest not in condition.picked]


def _labels(learner: Learner) -> list[str]:
    return [label.name for label in learner.question.labels.all()]


def _asked(request: SignedInRequest, project: Project) -> Learner:
    """The learner of the question that `?question=` names, or of the first one."""
    return _there(learner_of(project, request.GET.get("question", "")))


def _there(learner: Learner | None) -> Learner:
    if learner is None:
        raise Http404(
            "There is no such question, or its learner is not set up yet: a worker does it within a second."
        )
    return learner


def _rule(request: SignedInRequest, project: Project, pk: int | None) -> tuple[Learner, Rule | None]:
    """The rule, if one is meant, and the learner of the question that it answers."""
    if pk is None:
        return _asked(request, project), None
    rule = get_object_or_404(Rule.objects.select_related("label", "question"), project=project, pk=pk)
    return _there(learner_of(project, rule.question.key)), rule


def _to_list(learner: Learner) -> HttpResponse:
    address = reverse("learning:rules", args=[learner.project.slug])
    return redirect(f"{address}?question={learner.question.key}")


def _context(request: SignedInRequest, project: Project) -> dict[str, Any]:
    return {"project": project, "role": role_of(request.user, project), "tab": "learner"}
