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
_ACTIONS = {
    "roll_back": "roll back",
    "abort": "roll back",
    "reweight": "new shares",
    "advance": "next step",
    "audit": "audited share",
}
_PLACES = {CHAMPION: 0, CHALLENGER: 1}


_DECISION_TONES = {
    "promote": "good",
    "roll_back": "bad",
    "abort": "bad",
    "advance": "accent",
    "reweight": "accent",
}


def decision_tone(action: str) -> str:
    return _DECISION_TONES.get(action, "")


def decision_words(action: str) -> str:
    return _ACTIONS.get(action, action)


def kind_of(rollout: Rollout) -> str:
    mode = MODES.get(rollout.mode)
    return mode.title if mode else rollout.mode


def tone(rollout: Rollout) -> str:
    return _TONES.get(Rollout.State(rollout.state), "")


def answering(split: dict[str, Any], arms: dict[str, int]) -> list[dict[str, Any]]:
    """The parts of the traffic now, one after the other on a line of 1,000: who answers how much."""
    alone = 1 - split["merged"]
    parts = [
        (arm, f"Version {arms[arm]}, the {arm}", share * alone)
        for arm, share in sorted(split["weights"].items(), key=lambda pair: _PLACES.get(pair[0], 2))
        if arm in arms
    ]
    parts.append(("both", "Both, in one list", split["merged"]))
    found: list[dict[str, Any]] = []
    start = 0.0
    for arm, name, share in parts:
        if share:
            place = {"from": f"{1000 * start:.1f}", "width": f"{1000 * share:.1f}"}
            found.append({"arm": arm, "name": name, "percent": f"{share * 100:.3g}%", **place})
            start += share
    return found


def besides(split: dict[str, Any]) -> list[dict[str, Any]]:
    """What else the challenger is asked."""
    if not split["mirrored"]:
        return []
    return [{"name": "Seen by the challenger, unanswered", "percent": f"{split['mirrored'] * 100:.3g}%"}]


def setting_words(value: object) -> str:
    """A setting as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(setting_words, value))
    return str(value)


def figure_rows(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a figure: what each arm has, their difference or the whole, in words."""
    rows: dict[str, dict[str, Any]] = {}
    for one in figures:
        empty = [{"head": head} for head in ("Champion", "Challenger", "Together")]
        row = rows.setdefault(one["name"], {"title": one["title"], "cells": empty})
        row["cells"][_PLACES.get(one["arm"], 2)] |= _told(one)
    return list(rows.values())


def doubly_robust_words(figures: list[dict[str, Any]]) -> str:
    """Why the doubly robust figures are no others than the inverse propensity's, if that is so."""
    told = {
        name: [(one["arm"], one["value"], one["low"]) for one in figures if one["name"] == name]
        for name in ("ips", "dr")
    }
    if not told["dr"] or told["dr"] != told["ips"]:
        return ""
    return (
        "Doubly robust is the same as inverse propensity here: what the champion makes of an image is not "
        "known where another version answered, because their features differ. With the setting 'By class' it "
        "is asked about every image, which takes longer."
    )


def _told(figure: dict[str, Any]) -> dict[str, Any]:
    value, low, high, limit = (figure[name] for name in ("value", "low", "high", "limit"))
    if value is None:
        return {"unknown": "not known yet"}
    write = _WRITTEN.get(figure["unit"], _plain)
    sign = figure["arm"] == "difference"
    told: dict[str, Any] = {"value": write(value, sign)}
    if low is not None and high is not None:
        told["interval"] = f"{write(low, sign)} to {write(high, sign)}"
    if limit is not None:
        told["limit"] = write(limit, False)
        if figure["unit"] == "log10":
            told["way"] = round(min(1.0, max(0.0, value / limit)), 3)
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
