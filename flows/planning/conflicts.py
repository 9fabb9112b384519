"""Keeps a run from writing over its own inputs, where the output lies among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache

from flows.errors import Problem
from flows.planning.candidates import Candidate, sheet_candidates
from flows.planning.inputs import Found
from flows.planning.naming import name_key, writer_of
from flows.planning.pairing import Pairing
from flows.storage.globs import literal
from flows.storage.location import is_remote
from flows.text import safe_text


def keep_inputs_apart(pairing: Pairing, listed: Sequence[Found], output: str) -> None:
    """Take out of `pairing` what would read a picture where another pair writes one.

    A picture that a pattern found where a pair puts its result is a result whose record was never written: it
    is left out with a warning. A picture that the user named, or that would be replaced by its own result, is
    a problem.
    """
    resolved = cache(os.path.realpath)  # for this call only: links may change before the next one
    root = _real(output.rstrip("/") + "/", resolved)
    inputs = dict.fromkeys(uri for candidate in pairing.candidates for uri in candidate.reads)
    inside = {uri: place for uri in inputs if (place := _real(uri, resolved)).startswith(root)}
    if not inside:
        return
    candidates = {
        name_key(candidate.name): candidate
        for candidate in (*sheet_candidates(pairing.candidates), *pairing.candidates)
    }
    clashes = {
        uri: writer for uri, place in inside.items() if (writer := writer_of(place[len(root) :], candidates))
    }
    matched = {found.uri for found in listed if literal(found.entry.image) is None}
    strays = {uri for uri, writer in clashes.items() if uri in matched and uri not in writer.reads}
    pairing.problems += [_problem(uri, clashes[uri]) for uri in clashes if uri not in strays]
    pairing.warnings += [
        safe_text(f"{uri}: left out, because it lies where this run puts a result") for uri in sorted(strays)
    ]
    pairing.candidates = [candidate for candidate in pairing.candidates if strays.isdisjoint(candidate.reads)]


def _problem(uri: str, writer: Candidate) -> Problem:
    message = (
        f"{safe_text(uri)} would be replaced by the result of {writer}; choose another `output:` or a name "
        "that tells results from inputs"
    )
    return Problem("output", message, writer.lines[-1])


def _real(uri: str, resolved: Callable[[str], str]) -> str:
    """A place with links in its folders resolved, so that two ways to one file are seen as one."""
    if is_remote(uri):
        return uri
    folder, name = os.path.split(uri)
    return os.path.join(resolved(folder), name)  # noqa: PTH118  a trailing slash counts
