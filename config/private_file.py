"""Files for this user's eyes only."""

from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Complete or not at all, and readable by nobody else."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
