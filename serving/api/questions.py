"""A question that a request names."""

from rest_framework.exceptions import ParseError

from labelling.models import Project, Question


def question_named(project: Project, key: str | None) -> Question:
    """By its short name; the first one if none is given. Raises ParseError."""
    questions = {one.key: one for one in project.questions.all()}
    if key is None:
        return next(iter(questions.values()))
    if key not in questions:
        raise ParseError(f"question: there is no '{key[:40]}'; there are {', '.join(questions)}.")
    return questions[key]
