"""Reads. Every page and route finds its project through `project_for`, the object-level permission."""

from labelling.selectors.access import project_for, projects_of, role_of
from labelling.selectors.export import answer_rows, label_rows
from labelling.selectors.labels import (
    LabelCounts,
    asked_in_order,
    label_counts,
    labelled,
    latest_annotation_id,
    open_pool_ids,
    pool_ids,
    pool_sample,
    standing,
)
from labelling.selectors.page import annotation_known, held_items, lists_shown, questions_of, unanswered

__all__ = [
    "LabelCounts",
    "annotation_known",
    "answer_rows",
    "asked_in_order",
    "held_items",
    "label_counts",
    "label_rows",
    "labelled",
    "latest_annotation_id",
    "lists_shown",
    "open_pool_ids",
    "pool_ids",
    "pool_sample",
    "project_for",
    "projects_of",
    "questions_of",
    "role_of",
    "standing",
    "unanswered",
]
