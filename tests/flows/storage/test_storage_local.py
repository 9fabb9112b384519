"""What local storage does beyond the common promises: links, devices, crashes, full and read-only disks."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from processes import why_no_mount, why_no_trace

from flows.errors import Denied, NotFound, StorageError, StorageFatal, StorageTransient
from flows.storage.base import Storage
from flows.storage.local import LocalStorage
from flows.storage.opening import open_storage, read_uri, stat_uri
from flows.storage.process_id import hostname, is_temporary, pid_namespace_id, temporary_name

KILL_WRITERS = """
import os, random, signal, sys
from pathlib import Path
from flows.storage.opening import open_storage
storage, size, seen, swept = open_storage(sys.argv[1]), 400_000, set(), 0
for kill in range(200):
    writer = os.fork()
    if writer == 0:
        while True:
            storage.write("folder/picture.png", bytes([kill]) * size)
    while kill % 8 == 0 and kill not in seen:  # a slow disk finishes none in the looks below
        seen.update(path.read_bytes()[0] for path in Path(storage.root).rglob("picture.png"))
    chance = random.Random(kill)
    looks, busy = chance.randrange(40), False
    while not busy or looks:  # it writes; then it may go on for a few looks at the folder
        busy = busy or any(name.endswith("-tmp") for _, _, files in os.walk(storage.root) for name in files)
        looks -= bool(busy and looks)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    swept += storage.remove_abandoned()
    files = {path.name for path in Path(storage.root).rglob("*") if path.is_file()}
    assert files <= {"picture.png"}, files
    if files:
        data = storage.read("folder/picture.png")
        assert data == data[:1] * size, len(data)
        seen.add(data[0])
print(len(seen), swept)
"""


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    (tmp_path / "out").mkdir()
    return open_storage(str(tmp_path / "out"))


@pytest.fixture
def out(storage: Storage) -> Path:
    return Path(storage.root)


def run_python(code: str, *arguments: object, below: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, started by another command if one is given."""
    command = [*below, sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def leave_temporary(folder: Path, *, pid: int, where: str, age_s: float = 0) -> Path:
    path = folder / f".a.png.{hostname()}-{where}-{pid}-0123456789ab.stylize-tmp"
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_a_link_in_place_of_an_output_is_replaced_and_its_target_kept(storage: Storage, out: Path) -> None:
    (out.parent / "precious").write_text("keep")
    (out / "a").symlink_to(out.parent / "precious")
    storage.write("a", b"new")
    assert not (out / "a").is_symlink()
    assert storage.read("a") == b"new"
    assert (out.parent / "precious").read_text() == "keep"


def test_create_does_not_write_through_a_dangling_link(storage: Storage, out: Path) -> None:
    (out / "a").symlink_to(out.parent / "elsewhere")
    assert storage.create("a", b"x") is False
    assert not (out.parent / "elsewhere").exists()


@pytest.mark.parametrize("target", ["inside", "../outside", "/etc/passwd"])
def test_a_linked_output_is_neither_read_nor_listed(storage: Storage, out: Path, target: str) -> None:
    storage.write("inside", b"x")
    (out.parent / "outside").write_text("secret")
    (out / "a").symlink_to(target)
    for use in (storage.read, storage.stat):
        with pytest.raises(Denied, match="/a"):
            use("a")
    assert [listed.name for listed in storage.list()] == ["inside"]


def test_a_folder_linked_to_outside_is_refused_for_every_use(storage: Storage, out: Path) -> None:
    (out.parent / "other").mkdir()
    (out.parent / "other" / "a").write_text("secret")
    (out / "door").symlink_to(out.parent / "other")
    for use in (storage.read, storage.stat, storage.delete):
        with pytest.raises(Denied, match="linked folder"):
            use("door/a")
    for put in (storage.write, storage.create):
        with pytest.raises(Denied, match="linked folder"):
            put("door/b", b"x")
    assert [listed.name for listed in storage.list()] == []
    assert [path.name for path in (out.parent / "other").iterdir()] == ["a"]


def test_a_folder_linked_within_the_root_may_be_passed(storage: Storage, out: Path) -> None:
    storage.write("real/a", b"x")
    (out / "alias").symlink_to("real")
    assert storage.read("alias/a") == b"x"
    assert [listed.name for listed in storage.list()] == ["real/a"]


def test_links_that_go_in_circles_end_in_an_error(storage: Storage, out: Path) -> None:
    (out / "loop").symlink_to("loop")
    (out / "back").symlink_to(".")
    with pytest.raises((Denied, NotFound), match="loop"):
        storage.read("loop/a")
    assert list(storage.list()) == []


def test_a_root_that_is_itself_a_link_is_the_users_choice(storage: Storage, out: Path) -> None:
    (out.parent / "alias").symlink_to(out)
    aliased = open_storage(str(out.parent / "alias"))
    aliased.write("x/a", b"1")
    assert storage.read("x/a") == b"1"
    assert [listed.name for listed in aliased.list()] == ["x/a"]


def test_a_link_that_the_user_names_is_followed_to_its_file(out: Path) -> None:
    (out / "photo.jpg").write_bytes(b"pixels")
    (out.parent / "named.jpg").symlink_to(out / "photo.jpg")
    assert read_uri(str(out.parent / "named.jpg")) == b"pixels"
    found = stat_uri(str(out.parent / "named.jpg"))
    assert found is not None
    assert found.size == 6


@pytest.mark.timeout(30)
def test_a_fifo_is_refused_without_waiting_for_a_writer(storage: Storage, out: Path) -> None:
    os.mkfifo(out / "pipe")
    with pytest.raises(Denied, match="not a regular file"):
        storage.read("pipe")
    with pytest.raises(Denied, match="not a regular file"):
        read_uri(str(out / "pipe"))
    assert list(storage.list()) == []
    storage.write("pipe", b"now a file")
    assert storage.read("pipe") == b"now a file"


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/", "/usr"])
def test_a_device_or_folder_is_not_a_picture(path: str) -> None:
    with pytest.raises(Denied):
        read_uri(path)


def test_no_file_stays_open_whatever_is_read(storage: Storage, out: Path) -> None:
    (out / "folder").mkdir(parents=True)
    storage.write("file", b"x")
    open_files = Path("/dev/fd")
    before = len(list(open_files.iterdir()))
    for name in ("folder", "file", "nothing"):
        with suppress(StorageError):
            storage.read(name)
    assert len(list(open_files.iterdir())) == before


def test_an_output_that_is_a_folder_is_refused_and_nothing_is_left(storage: Storage, out: Path) -> None:
    (out / "a").mkdir()
    for use in (storage.read, storage.stat, storage.delete):
        with pytest.raises(Denied, match="/a"):
            use("a")
    with pytest.raises(Denied, match="/a"):
        storage.write("a", b"x")
    assert storage.create("a", b"x") is False
    assert [path.name for path in out.iterdir()] == ["a"]


def test_a_file_in_the_way_of_a_folder_is_named(storage: Storage) -> None:
    storage.write("a", b"file")
    with pytest.raises(Denied, match="not a directory"):
        storage.write("a/b", b"x")


@pytest.mark.parametrize("length", [100, 200, 255])
def test_long_names_leave_room_for_the_temporary_name(storage: Storage, length: int) -> None:
    for name in ("n" * length, "é" * (length // 2)):
        storage.write(name, b"x")
        assert storage.read(name) == b"x"


def test_a_name_longer_than_the_file_system_takes_is_refused(storage: Storage, out: Path) -> None:
    with pytest.raises(Denied, match="name too long"):
        storage.write("n" * 256, b"x")
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("root", ["/" + "a" * 5000, "/dev/null/out", "/etc/passwd"])
def test_a_root_that_cannot_be_a_folder_ends_the_run(root: str) -> None:
    with pytest.raises(StorageFatal, match="choose an output"):
        open_storage(root).write("a", b"x")


def test_hundreds_of_folders_below_each_other_are_no_problem(storage: Storage, out: Path) -> None:
    name = "d/" * 600 + "a"
    storage.write(name, b"x")
    assert [listed.name for listed in storage.list()] == [name]
    # pytest's own clean-up recurses and would give up on such a depth, sessions later.
    subprocess.run(["rm", "-rf", str(out)], check=True)


def test_outputs_get_the_permissions_that_the_user_asked_for(storage: Storage, out: Path) -> None:
    before = os.umask(0o027)
    try:
        storage.write("folder/a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((out / "folder" / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((out / "folder").stat().st_mode) == 0o750


def test_killed_writers_leave_whole_pictures_and_nothing_after_a_sweep(tmp_path: Path) -> None:
    """Two hundred SIGKILLs at random moments of a write (fault 3)."""
    ran = run_python(KILL_WRITERS, tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    finished, swept = map(int, ran.stdout.split())
    assert finished >= 25
    assert swept > 0


def test_a_sweep_takes_only_temporaries_whose_writer_is_gone(storage: Storage, out: Path) -> None:
    (out / "deep").mkdir()
    gone = leave_temporary(out / "deep", pid=dead_pid(), where=pid_namespace_id())
    ours = leave_temporary(out, pid=os.getpid(), where=pid_namespace_id())
    elsewhere = leave_temporary(out, pid=dead_pid(), where="0badcafe", age_s=3600)
    forgotten = leave_temporary(out, pid=4711, where="0badcafe", age_s=25 * 3600)
    (out / f".a.{hostname()}-{pid_namespace_id()}-{10**30}-0123456789ab.stylize-tmp").write_bytes(
        b"no such number"
    )
    strangers = [out / ".a.tmp", out / "a.stylize-tmp", out / ".x.host-1-2.stylize-tmp"]
    for path in strangers:
        path.write_bytes(b"theirs")
        os.utime(path, (0, 0))
    assert storage.remove_abandoned() == 3
    assert not gone.exists()
    assert not forgotten.exists()
    assert all(path.exists() for path in [ours, elsewhere, *strangers])
    assert storage.remove_abandoned() == 0


CLOSED = """
import os, sys, tempfile
from pathlib import Path
from flows.errors import BatchError
from flows.storage.opening import open_storage
from flows.storage.process_id import pid_namespace_id
with tempfile.TemporaryDirectory() as folder:
    root, dead = Path(folder), f".a.host-{pid_namespace_id()}-999999999-0123456789ab.stylize-tmp"
    found = ("closed/a", "half/a", "half/deep/a", "open/deep/a")
    for name in (*found, f"closed/{dead}", f"half/{dead}", f"open/{dead}"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    if os.geteuid() == 0:
        for path in (root, *root.rglob("*")):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    (root / "closed").chmod(0)
    (root / "half").chmod(0o444)  # names may be read there, and nothing else
    storage, closed = open_storage(folder), set()
    print(storage.remove_abandoned())
    print(*(one.name for one in storage.list(closed=closed.add)), *sorted(closed))
    root.chmod(0o300 if sys.argv[1] == "root" else 0o700)
    try:
        print(*(one.name for one in storage.list(closed=closed.add if sys.argv[1] == "root" else None)))
    except BatchError as error:
        print(type(error).__name__)
    for path in (root, root / "closed", root / "half"):
        path.chmod(0o700)
    os.seteuid(os.getuid())
"""


@pytest.mark.parametrize("listed", ["root", "all"])
def test_a_folder_that_is_closed_costs_a_sweep_nothing_and_a_list_tells_of_it_or_fails(listed: str) -> None:
    said = run_python(CLOSED, listed)
    assert said.stderr == ""
    assert said.stdout.splitlines() == ["1", "open/deep/a closed/ half/ half/deep/", "Denied"]


def test_a_list_leaves_out_temporaries(storage: Storage, out: Path) -> None:
    storage.write("a", b"x")
    leave_temporary(out, pid=os.getpid(), where=pid_namespace_id())
    assert [listed.name for listed in storage.list()] == ["a"]


def test_the_temporary_name_is_what_the_sweep_looks_for(tmp_path: Path) -> None:
    for name in ["a.png", "é" * 127, ".hidden", "a\nb"]:
        temporary = tmp_path / temporary_name(name)
        assert temporary.parent == tmp_path
        assert len(os.fsencode(temporary.name)) <= 255
        assert is_temporary(temporary.name)
        assert f"-{os.getpid()}-" in temporary.name


def test_bytes_are_durable_before_the_name_and_the_name_before_the_return(tmp_path: Path) -> None:
    """The order of system calls, as strace saw it: data, then rename, then the folder (faults 3 and 7)."""
    if why := why_no_trace(tmp_path):
        pytest.skip(f"nothing can be traced here: {why}")
    trace = tmp_path / "trace"
    code = "import sys, flows.storage.opening as s; s.open_storage(sys.argv[1]).write('new/a', b'bytes')"
    calls = "trace=fsync,rename,renameat,renameat2,mkdir,mkdirat"
    ran = run_python(code, tmp_path / "out", below=["strace", "-f", "-y", "-e", calls, "-o", str(trace)])
    assert ran.returncode == 0, ran.stderr
    found = re.findall(r" (mkdir|fsync|rename)\w*\((.*)\) = 0", trace.read_text())
    steps = [(call, given) for call, given in found if str(tmp_path) in given]  # coverage writes elsewhere
    out = re.escape(str(tmp_path / "out"))
    expected = [
        ("mkdir", f'"{out}", .*'),
        ("fsync", rf"\d+<{re.escape(str(tmp_path))}>"),
        ("mkdir", f'"{out}/new", .*'),
        ("fsync", rf"\d+<{out}>"),
        ("fsync", rf"\d+<{out}/new/\.a\..*\.stylize-tmp>"),
        ("rename", rf'"{out}/new/\.a\..*\.stylize-tmp", "{out}/new/a"'),
        ("fsync", rf"\d+<{out}/new>"),
    ]
    assert len(steps) == len(expected)
    for (call, arguments), (expected_call, pattern) in zip(steps, expected, strict=True):
        assert call == expected_call
        assert re.fullmatch(pattern, arguments), (arguments, pattern)


def synced_folders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """A list that grows by every folder that is made durable, and the names that are in it at that moment."""
    real, synced = os.fsync, list[tuple[str, list[str]]]()

    def sync(handle: int) -> None:
        real(handle)
        place = Path(f"/proc/self/fd/{handle}").resolve()
        if place.is_dir():
            synced.append((str(place), sorted(path.name for path in place.iterdir())))

    monkeypatch.setattr(os, "fsync", sync)
    return synced


def test_a_created_name_is_durable_before_create_returns(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = synced_folders(monkeypatch)
    assert storage.create("lock", b"mine") is True
    assert synced == [(str(out), ["lock"])]


def test_a_deletion_is_durable_before_delete_returns(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a", b"x")
    storage.write("b", b"x")
    synced = synced_folders(monkeypatch)
    storage.delete("a")
    assert synced == [(str(out), ["b"])]


def test_a_file_system_that_became_read_only_ends_the_run_though_the_output_is_there(tmp_path: Path) -> None:
    code = """
import sys
from flows.errors import StorageFatal
from flows.storage.opening import open_storage
storage = open_storage(sys.argv[1])
for use in (lambda: storage.write("deep/b", b"x"), lambda: storage.create("deep/b", b"x"),
            lambda: storage.delete("deep/a")):
    try:
        use()
    except StorageFatal as error:
        print(error)
"""
    mount = (
        f'mount -t tmpfs none "{tmp_path}" && mkdir "{tmp_path}/deep" && touch "{tmp_path}/deep/a" '
        f'&& mount -o remount,ro "{tmp_path}" && exec "$@"'
    )
    ran = run_python(code, tmp_path, below=["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
    if "unshare" in ran.stderr or "mount" in ran.stderr:
        pytest.skip(f"no disk can be mounted read-only here: {ran.stderr.strip()}")
    said = ran.stdout.splitlines()
    assert len(said) == 3, ran.stderr
    assert all("read-only file system; choose an output" in text for text in said)


def test_a_full_disk_stops_the_run_with_the_numbers_and_leaves_no_rest(tmp_path: Path) -> None:
    code = """
import os, sys
from flows.errors import StorageFatal
from flows.storage.opening import open_storage
storage = open_storage(sys.argv[1] + "/out")
storage.write("a", b"old")
for put in (storage.write, storage.create):
    try:
        put("a" if put == storage.write else "b", bytes(5_000_000))
    except StorageFatal as error:
        print(error)
print(storage.read("a"), [path for _, _, files in os.walk(sys.argv[1]) for path in files])
"""
    if why := why_no_mount(tmp_path / "probe"):
        pytest.skip(f"nothing can be mounted here: {why}")
    mount = f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "$@"'
    small_disk = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    ran = run_python(code, tmp_path, below=small_disk)
    assert ran.returncode == 0, ran.stderr
    first, second, rest = ran.stdout.splitlines()
    for text in (first, second):
        assert re.search(r"no space left on device; 5000000 bytes needed, \d+ bytes free in .*out", text)
    assert rest == "b'old' ['a']"


def test_a_file_size_limit_counts_as_a_full_disk(tmp_path: Path) -> None:
    code = """
import os, resource, sys
from flows.errors import StorageFatal
from flows.storage.opening import open_storage
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    open_storage(sys.argv[1]).write("a", bytes(200_000))
except StorageFatal as error:
    print(error, os.listdir(sys.argv[1]))
"""
    said = run_python(code, tmp_path).stdout
    assert re.search(r"file too large; 200000 bytes needed, .* run again \[\]", said)


def test_an_output_that_nobody_may_write_ends_the_run() -> None:
    with pytest.raises(StorageFatal, match="choose an output that this user can write to"):
        open_storage("/sys/stylize-test").write("a", b"x")


def test_one_folder_without_permission_costs_its_pairs_only_but_a_closed_root_ends_the_run() -> None:
    code = """
import os, sys, tempfile
from pathlib import Path
import flows.storage.local
from flows.errors import BatchError
from flows.storage.opening import open_storage
with tempfile.TemporaryDirectory() as folder:
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    (Path(folder) / "closed").mkdir(mode=0o555)
    (Path(folder) / "unreadable").write_bytes(b"x")
    (Path(folder) / "unreadable").chmod(0)
    for root in (folder, folder + "/closed"):
        if os.geteuid() == 0:
            os.seteuid(65534)
        storage = open_storage(root)
        for use in (lambda: storage.write("closed/a", b"x"),
                    lambda: storage.write("a", b"x"),
                    lambda: storage.read("unreadable")):
            try:
                use()
                print("done")
            except BatchError as error:
                print(type(error).__name__)
        os.seteuid(os.getuid())
"""
    said = run_python(code)
    assert said.stderr == ""
    assert said.stdout.split() == ["Denied", "done", "Denied", "StorageFatal", "StorageFatal", "NotFound"]


def test_a_lock_is_looked_for_without_a_walk_through_all_folders(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "deep/a",
        "deep/.stylize.lock",
        ".stylize.lock",
        ".stylize.lock-1-of-2",
        ".stylize.lock.d/x",
    ):
        storage.write(name, b"x")
    real, entered = os.scandir, list[str]()

    def scandir(folder: str) -> Any:
        entered.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found = [item.name for item in storage.list(".stylize.lock")]
    assert found == [".stylize.lock", ".stylize.lock-1-of-2", ".stylize.lock.d/x"]
    assert str(out / "deep") not in entered


def test_create_works_where_there_are_no_hard_links(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    assert storage.create("a", b"first") is True
    assert storage.create("a", b"second") is False
    assert storage.read("a") == b"first"
    assert [path.name for path in out.iterdir()] == ["a"]


def test_without_hard_links_a_created_file_is_empty_or_whole_and_gone_if_it_cannot_be_filled(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "no links here")

    def broken(temporary: Path, path: Path) -> None:
        assert (temporary.read_bytes(), path.read_bytes()) == (b"whole", b"")
        raise OSError(5, "the disk is broken")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(StorageTransient):
        storage.create("a", b"whole")
    assert list(out.iterdir()) == []


def test_a_file_system_that_cannot_sync_folders_is_usable(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def sync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    storage.write("folder/a", b"x")
    assert storage.read("folder/a") == b"x"


def test_a_failing_disk_is_transient_and_leaves_no_rest(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write("a", b"old")

    def sync(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", sync)
    for put in (storage.write, storage.create):
        with pytest.raises(StorageTransient, match="input/output error"):
            put("a" if put == storage.write else "b", b"new")
    assert storage.read("a") == b"old"
    assert [path.name for path in out.iterdir()] == ["a"]


def test_files_that_vanish_while_they_are_listed_are_left_out(storage: Storage, out: Path) -> None:
    for name in ("a", "b", "c"):
        storage.write(name, b"x")
    listing = storage.list()
    assert next(listing).name == "a"
    (out / "b").unlink()
    assert [listed.name for listed in listing] == ["c"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_while_files_are_listed_is_a_storage_error(
    storage: Storage, out: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def stat_fails(**_: object) -> None:
        raise OSError(number, "broken")

    entry = SimpleNamespace(name="a", path=str(out / "a"), stat=stat_fails)
    monkeypatch.setattr(LocalStorage, "_walk", lambda *_: [entry])
    with pytest.raises(StorageTransient, match="it may pass, run again"):
        list(storage.list())
