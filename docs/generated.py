"""The pages that are made of the program itself: `python -m docs.generated`.

With `--check` nothing is written, and the exit code is 1 if a page is not up to date, or a picture that
`docs/setting_pictures.py` makes: by what it was made of, as to make one takes seconds. The manifest's
reference is made by `docs/manifest_reference.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs import cli_reference, setting_sources, settings_page, troubleshooting

FOLDER = Path(__file__).parent


def pages() -> dict[Path, str]:
    """What each page is to hold."""
    return {
        FOLDER / "cli.md": cli_reference.reference(),
        FOLDER / "settings.md": settings_page.page(),
        FOLDER / "troubleshooting.md": troubleshooting.page(),
    }


def outdated() -> list[Path]:
    """The pages that say something else than the program does."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are not up to date."""
    if "--check" in arguments:
        for path in (old := outdated()):
            print(f"{path.name} is not up to date; run: python -m docs.generated")
        for path in (old_pictures := setting_sources.outdated()):
            print(f"{path.name} is not up to date; run: python -m docs.setting_pictures")
        return 1 if old or old_pictures else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
