"""How much time a pair gets before its worker counts as stuck."""

from __future__ import annotations

from flows.pairs import Pair

# The longest time that storage, decoding and the like may take together: three reads, each with all its
# rounds against a store that hangs.
WITHOUT_STEPS_S = 1800.0
# The longest time between two reports of an optimisation, which are ten evaluations apart: VGG-19 needs some
# 20 TFLOP per megapixel for them, of which a slow core may do 10 GFLOP/s and any GPU a hundred times as much.
CPU_S_PER_MEGAPIXEL = 3600.0
GPU_S_PER_MEGAPIXEL = 60.0


def stuck_after_s(pair: Pair, device: str) -> float:
    """Without any progress for that long, the worker of the device is stuck with the pair.

    Far more than any sound machine needs: who knows better sets the pair's `timeout`.
    """
    megapixels = pair.style_settings.size**2 / 1e6
    per_megapixel = CPU_S_PER_MEGAPIXEL if device == "cpu" else GPU_S_PER_MEGAPIXEL
    return WITHOUT_STEPS_S + megapixels * per_megapixel
