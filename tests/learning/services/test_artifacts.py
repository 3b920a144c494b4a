import pytest
from django.core.files.storage import default_storage

from labelling.services.blobs import file_write
from learning.services.artifacts import (
    ArtifactDamaged,
    artifact_get,
    artifact_name,
    artifact_put,
    canonical_json,
)


def test_bytes_are_found_under_their_digest_and_written_once() -> None:
    digest = artifact_put(data=b"weights", suffix=".bin")

    assert artifact_put(data=b"weights", suffix=".bin") == digest
    assert artifact_get(digest=digest, suffix=".bin") == b"weights"
    with pytest.raises(FileNotFoundError):
        artifact_get(digest="0" * 64, suffix=".bin")


def test_damaged_bytes_are_refused_by_name() -> None:
    digest = artifact_put(data=b"whole", suffix=".bin")
    name = artifact_name(digest=digest, suffix=".bin")
    file_write(path=name, data=b"other", durable=False)

    with pytest.raises(ArtifactDamaged, match=name):
        artifact_get(digest=digest, suffix=".bin")


def test_what_a_crash_cut_off_is_written_again() -> None:
    digest = artifact_put(data=b"a long story", suffix=".bin")
    file_write(path=artifact_name(digest=digest, suffix=".bin"), data=b"a long", durable=False)

    artifact_put(data=b"a long story", suffix=".bin")

    assert artifact_get(digest=digest, suffix=".bin") == b"a long story"
    # Other tests' artifacts may share the folder; an unfinished file must not be left in it.
    files = default_storage.listdir(f"artifacts/{digest[:2]}")[1]
    assert f"{digest}.bin" in files
    assert not [name for name in files if name.endswith(".part")]


def test_equal_values_have_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json(float("nan"))
