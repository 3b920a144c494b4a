import re

import pytest

from learning.core.weak.vote_file import read_votes

LABELS = ["cat", "dog"]


@pytest.mark.parametrize(
    "data",
    [
        b"a.png,cat\nb.png,dog\n",
        b"file,label\r\na.png, cat\r\n\r\nb.png,dog",
        b'\xef\xbb\xbfItem,Label\n"a.png","cat"\nb.png,dog\na.png,cat\n',
    ],
)
def test_a_table_with_or_without_a_header_gives_each_image_its_label(data: bytes) -> None:
    assert read_votes(data, LABELS) == {"a.png": "cat", "b.png": "dog"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "has no rows"),
        (b"item,label\n", "has no rows"),
        (
            b"a.png,cat\nb.png,cow\n",
            "Row 2 of the table: there is no label 'cow' for 'b.png'; there are: cat, dog.",
        ),
        (b"a.png\n", "Row 1 of the table has 1 values; write image,label."),
        (b"a.png,cat,1\n", "Row 1 of the table has 3 values"),
        (b",cat\n", "Row 1 of the table names no image"),
        (b"a.png,cat\n\na.png,dog\n", "Row 3 of the table says dog of 'a.png', but row 1 says cat."),
        (b"\xff\xfea", "not UTF-8"),
        (b'a,"' + b"x" * 200_000 + b'"\n', "Row 1 of the table is not CSV"),
    ],
)
def test_what_is_no_table_of_votes_is_refused_with_its_row(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        read_votes(data, LABELS)


def test_a_column_may_be_named_like_a_label() -> None:
    assert read_votes(b"file,label\n", ["label"]) == {"file": "label"}
