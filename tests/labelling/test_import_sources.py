"""Folders, zips, manifests: what they give and what they refuse, entry by entry."""

import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from labelling.core.sources import SOURCES, EntryRefused, Origin, SourceUnreadable, kind_of
from labelling.core.sources import zip as zip_source
from tests.factories import png

Outcome = tuple[str, bytes | str]


def outcomes(kind: str, origin: Origin | Path, start: int = 0) -> list[Outcome]:
    """(name, the bytes or the sentence) of every entry."""
    if isinstance(origin, Path):
        origin = Origin(path=origin)
    found: list[Outcome] = []
    with SOURCES[kind].open(origin) as source:
        rows = []
        for entry in source.entries(start):
            rows.append(entry.row)
            try:
                found.append((entry.name, entry.read()))
            except EntryRefused as refusal:
                found.append((entry.name, str(refusal)))
        assert len(found) == source.total - start
        assert rows == sorted(set(rows)), "rows grow"
    return found


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Origin:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return Origin(stream=out)


def test_a_folder_gives_its_files_sorted_and_passes_over_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/1.png", "c.png", ".hidden/3.png", ".DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert outcomes("folder", tmp_path) == [
        ("a/1.png", b"a/1.png"),
        ("b/2.png", b"b/2.png"),
        ("c.png", b"c.png"),
    ]
    assert outcomes("folder", tmp_path, start=2) == [("c.png", b"c.png")]


def test_a_folder_refuses_links_that_lead_out_of_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "inside.png").write_bytes(b"inside")
    (root / "link-in.png").symlink_to("inside.png")
    (root / "link-out.png").symlink_to(secret)
    (root / "link-folder").symlink_to(tmp_path / "outside")
    (root / "ring.png").symlink_to("ring.png")
    os.mkfifo(root / "pipe.png")
    found = dict(outcomes("folder", root))
    assert found["link-in.png"] == b"inside"
    assert found["link-out.png"] == "It leads out of the folder that is imported."
    assert found["link-folder"] == "It is a link to a folder; these are not followed."
    assert found["ring.png"] == "It is a link that leads nowhere."
    assert found["pipe.png"] == "It is not an ordinary file."


def test_a_name_that_is_no_utf8_is_shown_with_replacements(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    assert outcomes("folder", tmp_path) == [("caf?.png", b"x")]


def test_missing_and_empty_sources_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"\xef\xbb\xbf \n")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "no.zip").write_bytes(b"this is text")
    empty = tmp_path / "folder"
    empty.mkdir()
    for kind, path, words in [
        ("folder", tmp_path / "gone", "no folder"),
        ("folder", empty, "holds no files"),
        ("zip", tmp_path / "gone.zip", "no file"),
        ("zip", tmp_path / "no.zip", "not a zip file"),
        ("csv", tmp_path / "gone.csv", "cannot be read"),
        ("csv", tmp_path / "empty.csv", "empty.csv"),
        ("jsonl", tmp_path / "empty.jsonl", "is empty"),
    ]:
        with pytest.raises(SourceUnreadable, match=words):
            outcomes(kind, path)
    with pytest.raises(SourceUnreadable, match="holds no files"):
        outcomes("zip", zipped())


def test_a_kind_is_found_by_the_look_of_the_path(tmp_path: Path) -> None:
    for name, kind in [("a.ZIP", "zip"), ("a.csv", "csv"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl")]:
        (tmp_path / name).touch()
        assert kind_of(tmp_path / name) == kind
    assert kind_of(tmp_path) == "folder"
    (tmp_path / "a.tar").touch()
    with pytest.raises(SourceUnreadable, match="--kind"):
        kind_of(tmp_path / "a.tar")


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/etc/out.png", "..\\out.png", "C:\\out.png"]
)
def test_a_zip_refuses_names_that_lead_out(name: str) -> None:
    found = outcomes("zip", zipped((name, b"x"), ("good.png", b"y")))
    assert [answer for _, answer in found] == ["Its name leads out of the zip.", b"y"]


def test_a_zip_passes_over_folders_and_what_systems_add() -> None:
    origin = zipped(("a/", b""), ("a/1.png", b"1"), ("__MACOSX/a/._1.png", b"x"), ("a/.DS_Store", b"x"))
    assert outcomes("zip", origin) == [("a/1.png", b"1")]


def test_a_zip_refuses_bombs_and_keeps_the_rest() -> None:
    found = outcomes(
        "zip",
        zipped(("bomb.png", b"\0" * 3_000_000), ("large.png", b"\0" * 33 * 1024**2), ("good.png", b"y")),
    )
    assert [answer for _, answer in found] == [
        "It is packed more than 200 to 1, as no image is.",
        "The file is larger than 32 MB.",
        b"y",
    ]


def test_a_zip_refuses_more_than_its_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_source, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(SourceUnreadable, match="unpacks to"):
        outcomes("zip", zipped(*((f"{n}.png", b"\0" * 300) for n in range(4))))


def test_a_zip_with_an_endless_directory_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zip_source, "MAX_DIRECTORY_BYTES", 1000)
    with pytest.raises(SourceUnreadable, match="too many files"):
        outcomes("zip", zipped(*((f"{n}.png", b"1") for n in range(100))))


def test_a_directory_that_lies_about_sizes_is_not_believed() -> None:
    origin = zipped(("liar.png", b"\0" * 5_000_000), ("good.png", b"y"))
    assert isinstance(origin.stream, io.BytesIO)
    data = bytearray(origin.stream.getvalue())
    entry = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, entry + 24, 10)  # the uncompressed size
    found = outcomes("zip", Origin(stream=io.BytesIO(bytes(data))))
    assert str(found[0][1]).startswith("It cannot be unpacked")
    assert found[1] == ("good.png", b"y")


def test_damaged_encrypted_and_linked_entries_are_refused_one_by_one() -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    origin = zipped(
        ("a.png", png(1)), ("b.png", png(2)), (link, b"/etc/passwd"), ("d.png", png(3)), packing=0
    )
    assert isinstance(origin.stream, io.BytesIO)
    data = bytearray(origin.stream.getvalue())
    data[data.index(png(1)) + 50] ^= 0xFF
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 8] |= 1  # encrypted
    answers = [answer for _, answer in outcomes("zip", Origin(stream=io.BytesIO(bytes(data))))]
    assert str(answers[0]).startswith("It cannot be unpacked")
    assert answers[1] == "It is encrypted: make a zip without a password."
    assert answers[2] == "It is a link, not a file."
    assert answers[3] == png(3)


def test_a_manifest_in_a_zip_gives_order_and_metadata() -> None:
    manifest = b"file,place\nb.png,Rome\ngone.png,Oslo\na.png,Bern\n"
    origin = zipped(("a.png", b"a"), ("manifest.csv", manifest), ("b.png", b"b"), ("rest.png", b"r"))
    assert outcomes("zip", origin) == [
        ("b.png", b"b"),
        ("gone.png", "Line 3 of manifest.csv names a file that is not in the zip."),
        ("a.png", b"a"),
        ("rest.png", b"r"),
    ]
    assert outcomes("zip", origin, start=3) == [("rest.png", b"r")]
    with SOURCES["zip"].open(origin) as source:
        assert [entry.metadata for entry in source.entries(0)] == [
            {"place": "Rome"},
            {"place": "Oslo"},
            {"place": "Bern"},
            {},
        ]
    with pytest.raises(SourceUnreadable, match="more than one manifest"):
        outcomes("zip", zipped(("manifest.csv", b"file\na"), ("manifest.jsonl", b'{"file": "a"}')))


def test_a_csv_names_the_lines_it_refuses_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path.parent / "outside.png").write_bytes(b"x")
    lines = [
        b"\xef\xbb\xbffile,place",
        b'a.png,"R\xc3\xb6m"',
        b"",
        b"a.png",
        b"a.png,x,y",
        b"a.png,R\xf6m",
        b",x",
        b"../outside.png,x",
        b"/etc/passwd,x",
        b"gone.png,x",
        b"a.png," + b"x" * 9000,
    ]
    (tmp_path / "m.csv").write_bytes(b"\r\n".join(lines))
    found = outcomes("csv", tmp_path / "m.csv")
    assert [answer for _, answer in found][:8] == [
        b"a",
        "Line 4 of m.csv has 1 values where the header names 2 columns.",
        "Line 5 of m.csv has 3 values where the header names 2 columns.",
        "Line 6 of m.csv is not UTF-8 text: save the file as UTF-8.",
        "Line 7 of m.csv has nothing in its column 'file'.",
        "It leads out of the folder that is imported.",
        "It leads out of the folder that is imported.",
        "There is no such file.",
    ]
    assert "at most 8,192 are kept" in str(found[8][1])
    with SOURCES["csv"].open(Origin(path=tmp_path / "m.csv")) as source:
        assert next(source.entries(0)).metadata == {"place": "Röm"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"path,place\na.png,x\n", "no column 'file'; its columns are: path, place"),
        (b"file,a,a\nx.png,1,2\n", "names a column twice"),
        (b"file,place\n", "a header and no rows"),
    ],
)
def test_a_csv_of_no_use_is_refused_whole(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "m.csv").write_bytes(data)
    with pytest.raises(SourceUnreadable, match=words):
        outcomes("csv", tmp_path / "m.csv")


def test_a_spreadsheets_utf16_is_understood(tmp_path: Path) -> None:
    (tmp_path / "é.png").write_bytes(b"a")
    (tmp_path / "m.csv").write_bytes("file,place\né.png,x\n".encode("utf-16"))
    assert outcomes("csv", tmp_path / "m.csv") == [("é.png", b"a")]


def test_a_jsonl_names_the_lines_it_refuses_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    lines = [
        b'{"file": "a.png", "n": 3, "tags": ["x"], "text": "nul \\u0000 half \\ud800"}',
        b"{nonsense",
        b"",
        b"[1]",
        b'{"name": "x"}',
        b'{"file": 3}',
        b'{"file": "a.png", "n": 1e999}',
        b"\xff",
        b"[" * 100_000,
    ]
    (tmp_path / "m.jsonl").write_bytes(b"\n".join(lines))
    found = [str(answer) for _, answer in outcomes("jsonl", tmp_path / "m.jsonl")]
    for number, sentence in zip([2, 4, 5, 6, 7, 8, 9], found[1:], strict=True):
        assert sentence.startswith(f"Line {number} of m.jsonl")
    with SOURCES["jsonl"].open(Origin(path=tmp_path / "m.jsonl")) as source:
        assert next(source.entries(0)).metadata == {"n": 3, "tags": ["x"], "text": "nul � half ?"}
