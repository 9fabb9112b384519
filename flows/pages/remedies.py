"""What each kind of failure means and what to do about it, in the words of a page."""

from __future__ import annotations

from dataclasses import dataclass

from flows.pages.entries import UNREADABLE


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a kind of failure is called, and what its owner can do."""

    title: str
    what_to_do: str


_AGAIN = "The next run tries these pairs again."

REMEDIES: dict[str, Remedy] = {
    "manifest": Remedy(
        "A manifest that is not valid",
        "Correct the lines that the message names, all at once; nothing was started. An editor that knows "
        "`manifests/schema.json` marks them.",
    ),
    "arguments": Remedy(
        "A command line that is not understood",
        "Nothing was started. `--help` behind the command lists its options.",
    ),
    "already_running": Remedy(
        "Another run writes to this output",
        "Wait for it, with `--wait 10m` if you like, or stop it; `stylize status` says who it is and where.",
    ),
    "stopped": Remedy(
        "A run that ended early", "Run it again to go on. What is done stays done, and no pair is to blame."
    ),
    "bad_image": Remedy(
        "A picture that cannot be used",
        "Open the file that the message names, save it again or put a sound copy in its place, or keep it "
        f"out by `exclude`. {_AGAIN}",
    ),
    "too_large": Remedy(
        "A picture with too many pixels",
        f"Give a smaller picture, or raise `max_megapixels` where the memory is there. {_AGAIN}",
    ),
    "too_small": Remedy("A picture that is too small", f"Give a larger picture. {_AGAIN}"),
    "not_found": Remedy(
        "A picture that is not there", f"Put it back, or correct its path in the manifest. {_AGAIN}"
    ),
    "denied": Remedy(
        "Not permitted",
        f"Allow this account to read the input and to write the output that the message names. {_AGAIN}",
    ),
    "oversized": Remedy(
        "A file that is too long to read", f"Put the right file where the message says. {_AGAIN}"
    ),
    "foreign_file": Remedy(
        "Somebody else's file stands where a result goes",
        "Move it away, choose another `name` or `output`, or allow it with `foreign_files: replace`. Nothing "
        "was overwritten.",
    ),
    "bad_name": Remedy("A file name that nobody can use", "Rename the file, or keep it out by `exclude`."),
    "bad_line": Remedy(
        "A line of a list that names no picture", "Correct the line whose number the message gives."
    ),
    "storage": Remedy("Storage failed", f"Read the message; it names the place. {_AGAIN}"),
    "storage_transient": Remedy(
        "Storage kept failing", f"Nothing was wrong with the pictures. Run it again. {_AGAIN}"
    ),
    "storage_fatal": Remedy(
        "Storage refuses everything",
        "Make room on the disk, renew the credentials or let the output be written again, and run it again. "
        "What is done stays done.",
    ),
    "out_of_memory": Remedy(
        "The memory does not hold the pair",
        f"Use a smaller `size`, the encoder `slim`, or a device with more memory. {_AGAIN}",
    ),
    "diverged": Remedy(
        "The optimisation went astray",
        f"Use smaller weights, another `init` or more `tv_weight`. {_AGAIN}",
    ),
    "unfinished": Remedy(
        "Begun and not ended", "A run is at this pair, or was killed there. Run it again to go on."
    ),
    "crashed": Remedy(
        "A worker died under the pair",
        f"Look into the system's log for a lack of memory or a fault of the driver. {_AGAIN}",
    ),
    "wedged": Remedy(
        "A worker got nowhere with the pair",
        f"Look whether the device or the storage hangs; the worker was replaced. {_AGAIN}",
    ),
    "timeout": Remedy(
        "It took longer than `timeout`", f"Allow more time, fewer `steps` or a smaller `size`. {_AGAIN}"
    ),
    "bad_weights": Remedy(
        "Weights that do not fit",
        "`stylize weights` says what is at hand; name layers that the weights have, or fetch the whole file.",
    ),
    "missing_extra": Remedy("A library is missing", "Install it as the message says, and run it again."),
    "device_unavailable": Remedy("No such device", "Name a device that this machine has, and run it again."),
    "settings": Remedy("A setting that does not fit", "Change the setting that the message names."),
    "internal": Remedy(
        "A fault of this program", "Please report it with the record, which holds no secrets."
    ),
    UNREADABLE: Remedy(
        "A record that cannot be read",
        "Nobody can tell whether these pairs are done. The next run makes them again and replaces the "
        "record; one of a newer version it leaves alone.",
    ),
}

_OTHER = Remedy("A failure", f"Read the message. {_AGAIN}")


def remedy(kind: str) -> Remedy:
    """What to say of that kind; something general of kinds that other versions know."""
    return REMEDIES.get(kind, _OTHER)
