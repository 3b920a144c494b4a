"""Rollouts in words and figures."""

from typing import Any

from serving.core.modes import CHALLENGER, CHAMPION, MODES
from serving.models import Rollout

_TONES = {
    Rollout.State.RUNNING: "accent",
    Rollout.State.PAUSED: "warn",
    Rollout.State.PROMOTED: "good",
    Rollout.State.ROLLED_BACK: "bad",
}
_ACTIONS = {"roll_back": "roll back", "abort": "roll back", "reweight": "new shares", "advance": "next step"}
_PLACES = {CHAMPION: 0, CHALLENGER: 1}


def decision_words(action: str) -> str:
    return _ACTIONS.get(action, action)


def kind_of(rollout: Rollout) -> str:
    mode = MODES.get(rollout.mode)
    return mode.title if mode else rollout.mode


def tone(rollout: Rollout) -> str:
    return _TONES.get(Rollout.State(rollout.state), "")


def shares(split: dict[str, Any], arms: dict[str, int]) -> list[dict[str, Any]]:
    """The lines of the traffic now: who answers how much, and what else the challenger is asked."""
    lines = [
        {"name": f"Version {arms[arm]}, the {arm}", "share": share}
        for arm, share in sorted(split["weights"].items(), key=lambda pair: _PLACES.get(pair[0], 2))
        if arm in arms
    ]
    more = (("mirrored", "Seen by the challenger, unanswered"), ("merged", "Answered by both, in one list"))
    lines += [{"name": title, "share": split[name]} for name, title in more if split[name]]
    return [{**line, "percent": f"{line['share'] * 100:.3g}%"} for line in lines]


def figure_rows(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a figure: what each arm has, their difference or the whole, in words."""
    rows: dict[str, dict[str, Any]] = {}
    for one in figures:
        row = rows.setdefault(
            one["name"], {"title": one["title"], "champion": "", "challenger": "", "both": ""}
        )
        row[one["arm"] if one["arm"] in (CHAMPION, CHALLENGER) else "both"] = _told(one)
    return list(rows.values())


def _told(figure: dict[str, Any]) -> str:
    value, low, high, limit = (figure[name] for name in ("value", "low", "high", "limit"))
    if value is None:
        return "not known yet"
    write = _WRITTEN.get(figure["unit"], _plain)
    sign = figure["arm"] == "difference"
    told = write(value, sign)
    if low is not None and high is not None:
        told += f" ({write(low, sign)} to {write(high, sign)})"
    if limit is not None:
        told += f", decides at {write(limit, False)}"
    return told


def _share(value: float, sign: bool) -> str:
    return f"{value:+.1%}" if sign else f"{value:.1%}"


def _odds(value: float, sign: bool) -> str:
    """Of a log10."""
    odds = 10**value
    return f"{odds:.2g} to 1" if odds < 10 else f"{odds:,.0f} to 1" if value < 6 else f"10^{value:.0f} to 1"


def _ms(value: float, sign: bool) -> str:
    return f"{value:+.1f} ms" if sign else f"{value:.1f} ms"


def _count(value: float, sign: bool) -> str:
    return f"{value:,.0f}"


def _plain(value: float, sign: bool) -> str:
    return f"{value:.3g}"


_WRITTEN = {"share": _share, "log10": _odds, "ms": _ms, "count": _count}
