"""What the page of a rollout says of its traffic, its figures and its settings."""

from serving.core.modes import CHALLENGER, CHAMPION, Split
from serving.core.modes.base import figure
from serving.core.modes.figures import evidence_figure, share
from serving.core.records import to_json
from serving.views.rollout_words import answering, besides, figure_rows, setting_words


def test_the_split_is_one_line_from_end_to_end() -> None:
    split = to_json(Split(Split.between(0.05).weights, mirrored=0.5))
    parts = answering(split, {CHAMPION: 2, CHALLENGER: 1})
    told = [(one["arm"], one["name"], one["percent"], one["from"], one["width"]) for one in parts]
    assert told == [
        ("champion", "Version 2, the champion", "95%", "0.0", "950.0"),
        ("challenger", "Version 1, the challenger", "5%", "950.0", "50.0"),
    ]
    assert besides(split) == [{"name": "Seen by the challenger, unanswered", "percent": "50%"}]
    assert besides(to_json(Split.between(0.5))) == []
    merged = answering(to_json(Split({CHAMPION: 1.0}, merged=0.75)), {CHAMPION: 2, CHALLENGER: 1})
    assert [(one["arm"], one["percent"]) for one in merged] == [("champion", "25%"), ("both", "75%")]


def test_a_figure_has_its_interval_and_evidence_how_far_it_is() -> None:
    figures = [
        share("errors", "Errors", CHAMPION, 10, 1000, 0.95),
        share("errors", "Errors", CHALLENGER, 0, 0, 0.95),
        figure("accuracy", "Right", "difference", 0.02, low=-0.01, high=0.05),
        evidence_figure("Evidence", 2.302585, 0.01, 20),
        evidence_figure("Evidence of less", -3.0, 0.01, 20, "less"),
    ]
    errors, right, evidence, less = figure_rows([to_json(one) for one in figures])
    champion, challenger, both = errors["cells"]
    assert (champion["head"], champion["value"]) == ("Champion", "1.0%")
    assert " to " in champion["interval"]
    assert challenger == {"head": "Challenger", "unknown": "not known yet"}
    assert both == {"head": "Together"}
    assert right["cells"][2] == {"head": "Together", "value": "+2.0%", "interval": "-1.0% to +5.0%"}
    assert (evidence["cells"][2]["limit"], evidence["cells"][2]["way"]) == ("100 to 1", 0.5)
    assert less["cells"][2]["way"] == 0


def test_settings_are_written_as_people_write_them() -> None:
    values = (True, False, 20_000, 0.05, 1.0, [0.05, 0.25], ["accuracy", "errors"], None)
    told = ["yes", "no", "20,000", "0.05", "1", "0.05, 0.25", "accuracy, errors", "None"]
    assert [setting_words(one) for one in values] == told
