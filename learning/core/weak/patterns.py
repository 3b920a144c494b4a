"""Regular expressions from users, which can never take long.

Python's engine backtracks: a pattern of ten characters can run for years. There is no timeout that works
inside a thread, so what a pattern may hold is limited instead: on the CAP characters that are searched,
QUANTIFIERS repetitions of single characters give at most some millions of steps, and one group that is never
repeated does not multiply them.
"""

import re

CAP = 200  # characters of a value that are searched
LONGEST = 100  # characters of a pattern
QUANTIFIERS = 3
RESERVED = ("[", "--", "&&", "~~", "||")  # Python may give them a meaning within a set
_PART = re.compile(
    r"""\\[dDwWsSbB] | \\[^0-9A-Za-z] | \[\^?\]?(?:\\.|[^\]\\])*\] | \{\d{1,3}(?:,\d{0,3})?\} | .""",
    re.VERBOSE | re.DOTALL,
)


def safe_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled. Raises ValueError, with one sentence, for what could take long or is broken."""

    def refuse(why: str) -> ValueError:
        return ValueError(f"The pattern '{pattern[:LONGEST]}' {why}.")

    if len(pattern) > LONGEST:
        raise refuse(f"is longer than {LONGEST} characters")
    groups, repeats, before = 0, 0, ""
    for part in _PART.findall(pattern):
        if part == "\\":
            raise refuse("holds a reference or an escape other than \\d \\w \\s \\b and escaped signs")
        if part == "{":
            raise refuse("holds a '{' that is no repetition up to 999; write \\{ for the sign")
        if part == "[":
            raise refuse("holds a set that does not end; write \\[ for the sign")
        if part.startswith("[") and any(sign in part[1:].replace("\\[", "") for sign in RESERVED):
            raise refuse("holds a set with [, --, &&, ~~ or ||; write \\[ for the sign")
        if part == "(":
            groups += 1
        if part == "?" and before == "(":
            raise refuse("holds a group that starts with '(?', which is not allowed")
        if part in ("*", "+", "?") or (part.startswith("{") and len(part) > 1):
            repeats += 1
            if before == ")":
                raise refuse("repeats a group; repeat single characters or [sets] only")
        before = part
    if groups > 1:
        raise refuse("has more than one group")
    if repeats > QUANTIFIERS:
        raise refuse(f"repeats more than {QUANTIFIERS} times; use fewer of * + ? {{}}")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise refuse(f"is not a regular expression: {error}") from None
