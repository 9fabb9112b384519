"""A device that is not there: tensors on the CPU that claim to be elsewhere, and what they are asked.

Whatever a GPU would have to be waited for is noted, or refused: numbers that the host wants, copies to and
from it, sizes that depend on values. Tensors of two devices do not mix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")
"""What the tensors claim: a kind that this program knows nothing of, and that torch does not look for."""

# What a host has to wait for, even where no number comes back.
WAITS = frozenset(
    {
        "aten::_local_scalar_dense",
        "aten::nonzero",
        "aten::masked_select",
        "aten::equal",
        "aten::is_nonzero",
        "aten::_linalg_check_errors",
        "aten::linalg_eigh",
        "aten::_linalg_eigh",
        "aten::linalg_eigvalsh",
        "aten::unique",
    }
)
# What costs no launch on a device: views, and memory that is only set aside.
FREE = frozenset(
    {
        "view", "_unsafe_view", "slice", "select", "unsqueeze", "squeeze", "expand", "permute", "transpose",
        "t",
        "detach", "alias", "as_strided", "unbind", "split", "diagonal", "empty", "empty_like", "new_empty",
        "_reshape_alias", "empty_strided", "new_empty_strided", "lift_fresh", "split_with_sizes",
    }
)  # fmt: skip


class Elsewhere(Tensor):
    """A tensor that claims to be on the device; what it holds is `held`, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Elsewhere:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=False,
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Elsewhere({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        """Its values for the host, which torch gives of plain tensors only."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise AssertionError(f"{func} outside an emulation")


class Waited(AssertionError):
    """The host would have waited for the device."""


class Emulation(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Runs what is asked of tensors elsewhere, and counts it.

    Attributes:
        waits: how often the host would have waited, by what it asked.
        launches: how many kernels there were, by name.
        patient: whether a wait is allowed now; else it is an error.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self.patient = True

    @contextmanager
    def without_waits(self) -> Iterator[None]:
        """No wait is allowed in the block."""
        self.patient = False
        try:
            yield
        finally:
            self.patient = True

    def __enter__(self) -> Emulation:
        self._make_tensor = torch.tensor
        torch.tensor = self._tensor  # type: ignore[assignment]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        torch.tensor = self._make_tensor

    def _tensor(self, values: Any, *, device: Any = None, **options: Any) -> Tensor:
        """`torch.tensor`, which asks no mode: values of the host go to the device."""
        made = self._make_tensor(values, **options)
        if device is None or torch.device(device) != DEVICE:
            return made
        self._wait("torch.tensor")
        return Elsewhere(made)

    def _wait(self, what: str) -> None:
        self.waits[what] += 1
        if not self.patient:
            raise Waited(f"{what} makes the host wait for the device")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name
        given = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
        ours = [one for one in given if isinstance(one, Elsewhere)]
        wanted = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
        there = wanted == DEVICE or (wanted is None and bool(ours))
        if not ours and not there:
            return func(*args, **kwargs)
        self._judge(name, func, given, ours, wanted)
        if "device" in kwargs:
            kwargs["device"] = torch.device("cpu")
        kwargs.pop("pin_memory", None)
        plain_args, plain_kwargs = tree_map(_held, args), tree_map(_held, kwargs)
        made = func(*plain_args, **plain_kwargs)
        if not there:
            return made.clone() if isinstance(made, Tensor) else made
        made = tree_map(lambda one: Elsewhere(one) if isinstance(one, Tensor) else one, made)
        if not ours:
            return made
        return return_and_correct_aliasing(func, args, kwargs, made)  # type: ignore[no-untyped-call]

    def _judge(
        self, name: str, func: Any, given: list[Tensor], ours: list[Elsewhere], wanted: torch.device | None
    ) -> None:
        others = [one for one in given if not isinstance(one, Elsewhere)]
        copies = name in ("aten::copy_", "aten::_to_copy") or (bool(ours) and wanted not in (None, DEVICE))
        index_of_truths = (
            name.startswith("aten::index")
            and any(one.dtype == torch.bool for one in given[1:] if one.dim())
            and name not in ("aten::index_select", "aten::index_copy_", "aten::index_put_")
        )
        host_copy = copies and (bool(others) or (bool(ours) != (wanted in (None, DEVICE))))
        if name in WAITS or host_copy or index_of_truths:
            self._wait(name)
        elif any(one.dim() or name.startswith("aten::index") for one in others) and ours:
            raise AssertionError(f"{func} mixes tensors of two devices")
        if name.removeprefix("aten::") not in FREE:
            self.launches[name] += 1


def _held(one: Any) -> Any:
    return one.held if isinstance(one, Elsewhere) else one


def elsewhere(values: Tensor) -> Elsewhere:
    """A copy of the values on the emulated device."""
    return Elsewhere(values.detach().clone())


def here(values: Tensor) -> Tensor:
    """The values of a tensor, wherever it is."""
    return _held(values)  # type: ignore[no-any-return]
