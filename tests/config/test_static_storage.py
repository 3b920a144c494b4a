from pathlib import Path

from django.core.files.base import ContentFile

from config.static_storage import SMALL, StaticStorage


def test_what_pages_and_modules_ask_for_is_compressed_and_large_files_only_under_their_digests(
    tmp_path: Path,
) -> None:
    storage = StaticStorage(location=tmp_path, base_url="/static/")
    files = {"library.js": SMALL, "module.js": SMALL // 2, "library.map": SMALL // 2}
    for name, size in files.items():
        storage.save(name, ContentFile(b"x" * size))
    done = list(storage.post_process({name: (storage, name) for name in files}))
    assert not any(isinstance(processed, Exception) for _, _, processed in done)

    there = {path.name for path in tmp_path.iterdir()}
    hashed = {name: storage.hashed_files[name] for name in files}
    assert {*files, *hashed.values()} < there
    for suffix in (".gz", ".br"):
        compressed = {name.removesuffix(suffix) for name in there if name.endswith(suffix)}
        assert compressed == {"module.js", hashed["module.js"], hashed["library.js"]}
