"""Single values of a manifest that are no settings: texts, paths, names and the keys of the top level."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.errors import Problem
from flows.manifest.model import BATCH_EXPECTED, CHECKPOINT_S, DEVICE, NO_CHECKPOINT, batch_of
from flows.manifest.paths import Kind, absolute
from flows.manifest.settings import Setting
from flows.manifest.values import did_you_mean, read_value
from flows.manifest.yaml_tree import Node, Refused, Text, shown
from flows.model import durations
from flows.model.names import DEFAULT_TEMPLATE, check_name, check_template, normalised


# Why so many: one method for each kind of value.
@dataclass(slots=True)
class ScalarReader:
    """Reads values and notes what is wrong with them.

    Args:
        folder: where relative paths start.
        problems: what is wrong is added here.
    """

    folder: str
    problems: list[Problem]

    def problem(self, node: Node, message: str) -> None:
        """Note what is wrong at a node."""
        self.problems.append(Problem(node.where, message, node.line))

    def require(self, node: Node, entries: Mapping[str, Node], keys: tuple[str, ...]) -> None:
        """Note the keys that are missing in a mapping."""
        for key in keys:
            if key not in entries:
                self.problem(node, f"the key `{key}` is missing")

    def text(self, node: Node | None, expected: str) -> str:
        """The text at a node; what else stands there is a problem, and so is nothing."""
        if isinstance(node, Text) and node.text:
            return node.text
        if node is not None:
            self.problem(node, f"this must be {expected}")
        return ""

    def version(self, node: Node | None) -> None:
        """Hold the version against the only one that there is."""
        found = self.text(node, "1, the version of the manifest's format")
        if node is not None and found not in ("", "1"):
            self.problem(node, f"version {shown(found)} is not known; this program reads `version: 1`")

    def path(self, node: Node | None, kind: Kind) -> str:
        """The absolute path or URI at a node; empty where there is none, or a wrong one."""
        given = self.text(node, "a path or an s3:// URI")
        if node is None or not given:
            return ""
        try:
            return absolute(given, self.folder, kind=kind)
        except ValueError as error:
            self.problem(node, f"{shown(given)} is not accepted; {error}")
            return ""

    def template(self, node: Node | None) -> str:
        """The template of the results' names."""
        if node is None:
            return DEFAULT_TEMPLATE
        given = normalised(self.text(node, "text such as '{content}__{style}'"))
        if given and (wrong := check_template(given)):
            self.problem(node, f"{shown(given)} is not accepted; {wrong}")
            return ""
        return given

    def device(self, node: Node | None) -> str:
        """The device that the manifest names."""
        if node is None:
            return "auto"
        given = self.text(node, "auto, cpu, mps, cuda or cuda:N")
        if given and not re.fullmatch(DEVICE, given):
            near = did_you_mean(given.partition(":")[0], ("auto", "cpu", "mps", "cuda"))
            self.problem(node, f"{shown(given)} is not accepted; choose auto, cpu, mps, cuda or cuda:N{near}")
        return given

    def boolean(self, node: Node | None, *, default: bool) -> bool:
        """True or false."""
        if node is None:
            return default
        try:
            return bool(
                read_value(Setting("", bool, default, "", {}, False), node, self.folder, self.problems)
            )
        except Refused as refused:
            self.problems.append(refused.problem)
            return default

    def choice(self, node: Node | None, choices: Sequence[str]) -> str:
        """One of a few words; the first one where there is none."""
        given = self.text(node, " or ".join(choices)) or choices[0]
        if node is not None and given not in choices:
            near = did_you_mean(given, choices)
            self.problem(node, f"{shown(given)} is not accepted; choose {' or '.join(choices)}{near}")
        return given

    def exclude(self, node: Node) -> str:
        """A pattern of what is not taken: absolute, or for any depth where it is relative."""
        given = self.text(node, "a pattern, such as '@eaDir' or '*_small.jpg'")
        try:
            rooted = absolute(given, self.folder, kind="pattern") if given else ""
        except ValueError as error:
            self.problem(node, f"{shown(given)} is not accepted; {error}")
            return ""
        return rooted if given.startswith(("/", "./", "../", "s3://")) else given

    def batch(self, node: Node | None) -> int | None:
        """How many pairs are computed together; None for `auto`."""
        if node is None:
            return None
        given = self.text(node, BATCH_EXPECTED)
        try:
            return batch_of(given) if given else None
        except ValueError as error:
            self.problem(node, f"{shown(given)} is not accepted; it must be {error}")
            return None

    def timeout(self, node: Node | None) -> float:
        """The longest time for one pair, in seconds; infinite if there is no limit."""
        return self._seconds(node, otherwise=math.inf)

    def checkpoint(self, node: Node | None) -> float:
        """After how much time what a pair is at is kept, in seconds; 0 for never."""
        if isinstance(node, Text) and node.text == NO_CHECKPOINT:
            return 0.0
        return self._seconds(node, otherwise=CHECKPOINT_S, or_else=f"`{NO_CHECKPOINT}` or ")

    def _seconds(self, node: Node | None, *, otherwise: float, or_else: str = "") -> float:
        if node is None:
            return otherwise
        given = self.text(node, or_else + durations.EXPECTED)
        try:
            return durations.seconds(given) if given else otherwise
        except ValueError as error:
            self.problem(node, f"{shown(given)} is not accepted; it must be {or_else}{error}")
            return otherwise

    def name(self, node: Node | None) -> str | None:
        """A name that a picture or a pair is given."""
        given = normalised(self.text(node, "a name"))
        if node is not None and given and (wrong := check_name(given)):
            self.problem(node, f"{shown(given)} is not accepted; {wrong}")
        return given or None
