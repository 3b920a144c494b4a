from django import forms

from labelling.forms import PercentField
from learning.core.augmentation import AUGMENTATIONS, OPERATIONS
from learning.core.policy_search import SEARCHES
from learning.core.policy_search.config import SearchConfig
from learning.core.policy_search.plan import WIDTHS

USUAL = SearchConfig()


def _whole(label: str, initial: int, help_text: str = "") -> forms.IntegerField:
    words = f"Write the {label[0].lower()}{label[1:]} as a whole number, such as {initial}."
    return forms.IntegerField(
        label=label,
        initial=initial,
        help_text=help_text,
        error_messages={"required": words, "invalid": words},
    )


def _number(
    label: str, initial: float | None, help_text: str = "", *, required: bool = True
) -> forms.FloatField:
    words = f"Write the {label[0].lower()}{label[1:]} as a number."
    return forms.FloatField(
        label=label,
        initial=initial,
        help_text=help_text,
        required=required,
        error_messages={"required": words, "invalid": words},
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "step": "any"}),
    )


class PolicySearchForm(forms.Form):
    """What cannot be searched, the service says in a sentence; here only what is no number at all."""

    search = forms.ChoiceField(
        label="How to search",
        choices=lambda: [(one.name, one.title) for one in SEARCHES.values()],
        initial=USUAL.search,
        error_messages={
            "required": "Choose how to search.",
            "invalid_choice": "There is no search '%(value).60s'; choose one of the list.",
        },
    )
    operations = forms.MultipleChoiceField(
        label="Operations",
        choices=lambda: [(one.name, one.title) for one in OPERATIONS.values()],
        initial=list(USUAL.space.operations),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "The search space has no operation: choose at least one.",
            "invalid_choice": "There is no operation '%(value).60s'; choose of the list.",
        },
    )
    trials = _whole(
        "Trials",
        USUAL.trials,
        "Each trains two small networks, for a second or two; by density matching it only asks them. The "
        "best are tried again, for longer where there are many labels.",
    )
    minutes = _number(
        "Minutes for proposals",
        None,
        "Empty: until the trials are done. The best are tried again afterwards.",
        required=False,
    )
    child = forms.ChoiceField(
        label="Size of the trial network",
        choices=lambda: [(one, one) for one in WIDTHS],
        initial=USUAL.child.size,
        error_messages={
            "required": "Choose the size of the trial network.",
            "invalid_choice": "There is no size '%(value).60s'; choose one of the list.",
        },
    )
    fraction = PercentField(
        label="Labels to use (%)",
        most=100,
        initial=USUAL.fraction,
        help_text="Fewer make a trial quicker and less certain.",
        error_messages={
            "required": "Say how many of the labels to use: 100 is usual.",
            "invalid": "Write the share of the labels as a number of percent, such as 100.",
        },
    )
    fixed = forms.MultipleChoiceField(
        label="Tried beside the best",
        choices=lambda: [(name, AUGMENTATIONS[name].title) for name in USUAL.fixed],
        initial=list(USUAL.fixed),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "There is no augmentation '%(value).60s'; choose of the list."},
    )
    rate = _number("Learning rate of the controller", USUAL.rate, "Of reinforcement learning.")
    sub_policies = _whole("Sub-policies", USUAL.space.sub_policies, "Each picture gets one of them.")
    length = _whole("Operations of a sub-policy", USUAL.space.length)
    probabilities = _whole("Steps of probability", USUAL.space.probabilities)
    magnitudes = _whole("Steps of strength", USUAL.space.magnitudes)
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        help_text="Empty: drawn. The same seed and labels give the same result.",
        error_messages={"invalid": "Write the seed as a whole number, or leave it empty."},
    )

    def config(self) -> dict[str, object]:
        """What the service takes."""
        sent = self.cleaned_data
        space = ("operations", "sub_policies", "length", "probabilities", "magnitudes")
        seed = {} if sent["seed"] is None else {"seed": sent["seed"]}
        return {
            **{name: sent[name] for name in ("search", "trials", "rate", "fraction", "fixed")},
            "space": {name: sent[name] for name in space},
            "child": {"size": sent["child"]},
            **seed,
        }
