"""What a picture or a film of ours says of its making: one JSON text inside it. Free of torch and Pillow.

Every format that is written stores the text as it is (PNG iTXt, EXIF ImageDescription, a GIF comment, an MP4
tag), so one search finds it in all of them, in whole files and in their beginnings and ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

FACTS_KEY = "stylize"
MAX_FACTS_BYTES = 60_000
"""What an EXIF block holds beside the rest of it."""

_START = f'{{"{FACTS_KEY}":{{'.encode()


def facts_text(facts: Mapping[str, str]) -> str:
    """The text that carries `facts`, ASCII; the same for equal facts.

    Raises:
        ValueError: it is longer than `MAX_FACTS_BYTES`.
    """
    text = json.dumps({FACTS_KEY: dict(facts)}, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_FACTS_BYTES:
        raise ValueError(f"the facts take {len(text)} bytes; {MAX_FACTS_BYTES} fit into a picture")
    return text


def is_facts_text(text: str) -> bool:
    """Whether a text is facts, and nobody's caption."""
    return text.encode("utf-8", "replace").startswith(_START)


def embedded_facts(data: bytes) -> dict[str, str]:
    """The facts in the bytes of a file, or of a part of one; empty where there are none.

    >>> embedded_facts(b"GIF89a..." + facts_text({"stylize:name": "a"}).encode() + b"...")
    {'stylize:name': 'a'}
    """
    at = data.find(_START)
    if at < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(data[at : at + MAX_FACTS_BYTES].decode("latin-1"))
        return {str(key): str(value) for key, value in found[FACTS_KEY].items()}
    except (ValueError, RecursionError):  # cut short, or somebody else's text that begins like ours
        return {}
