"""File systems on images of our own: made beforehand, mounted and worked on while recording."""

# Each line is here for the system call it makes, which pathlib would hide or change.
# ruff: noqa: PTH101, PTH104, PTH108, PTH115, PTH208, PTH211

from __future__ import annotations

import fcntl
import mmap
import os
import re
import struct
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.rendering.kernel_calls import call, in_child, run, umount
from tests.rendering.parts import Step
from tests.rendering.work_memory import limited
from tests.rendering.work_processes import enter_group

IMAGES = {
    "ext4": (256, ("mkfs.ext4", "-q", "-F", "-O", "bigalloc,^has_journal")),
    "ext4j": (256, ("mkfs.ext4", "-q", "-F", "-O", "fast_commit,inline_data,^resize_inode,meta_bg", "-I", "256")),
    "xfs": (512, ("mkfs.xfs", "-q", "-m", "reflink=1,rmapbt=1,finobt=1,crc=1", "-i", "sparse=1")),
    "btrfs": (512, ("mkfs.btrfs", "-q")),
    "ext2": (16, ("mkfs.ext2", "-q", "-F")),
}


def prepare(folder: Path) -> None:
    """The images, in the workload's own memory file system; what can't be made is missing later."""
    for name, (megabytes, command) in IMAGES.items():
        image = folder / f"{name}.img"
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        with suppress(Exception):
            run(*command, str(image))
        (folder / name).mkdir()
    source = folder / "tpkit-source"
    (source / "tpkit-inner").mkdir(parents=True)
    for number in range(20):
        (source / "tpkit-inner" / f"tpkit-{number}").write_bytes(bytes([number]) * 3000 * (number + 1))
    for name, maker in (("erofs", ("mkfs.erofs", "-zlz4")), ("squashfs", ())):
        with suppress(Exception):
            if maker:
                run(*maker, str(folder / f"{name}.img"), str(source))
            else:
                run("mksquashfs", str(source), str(folder / f"{name}.img"), "-quiet")
        (folder / name).mkdir()


@contextmanager
def mounted(folder: Path, name: str, options: str = "") -> Iterator[Path]:
    """The image mounted on a loop device that the kernel frees with the mount."""
    target = folder / name
    run("mount", "-o", ",".join(filter(None, ("loop", options))), str(folder / f"{name}.img"), str(target))
    try:
        yield target
    finally:
        os.chdir("/")
        for _ in range(20):
            with suppress(OSError):
                umount(target)
                break
            time.sleep(0.05)


def _allocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    with suppress(OSError):
        call("fallocate", descriptor, mode, offset, length)


def _shape_file(descriptor: int) -> None:
    """All that fallocate() knows: allocate, keep size, punch, collapse, zero, insert, unshare."""
    os.pwrite(descriptor, b"d" * (1 << 20), 0)
    os.fsync(descriptor)
    for mode in (0, 1, 3, 8, 16, 32, 64):
        _allocate(descriptor, mode, 64 << 10, 64 << 10)
    _allocate(descriptor, 0, 8 << 20, 1 << 20)
    os.pwrite(descriptor, b"w" * 8192, (8 << 20) + 4096)
    os.lseek(descriptor, 0, os.SEEK_DATA)
    os.lseek(descriptor, 0, os.SEEK_HOLE)
    os.fsync(descriptor)
    os.ftruncate(descriptor, 12345)
    os.ftruncate(descriptor, 1 << 20)


def _map_extents(descriptor: int) -> None:
    request = struct.pack("QQIIII", 0, 1 << 62, 1, 0, 10, 0) + bytes(560)
    with suppress(OSError):
        fcntl.ioctl(descriptor, 0xC020660B, bytearray(request))  # FS_IOC_FIEMAP


def _map_space(place: Path) -> None:
    """Who owns which blocks: FS_IOC_GETFSMAP from the first to the last."""
    here = os.open(place, os.O_RDONLY)
    highest = struct.pack("IIQQQQ24x", 0xFFFFFFFF, 0xFFFFFFFF, *[(1 << 64) - 1] * 3, 0)
    request = struct.pack("IIII48x64x", 0, 0, 20, 0) + highest + bytes(20 * 64)
    call_ioctl(here, 0xC0C0583B, request)
    os.close(here)


def _directly(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_DIRECT, 0o600)
        page = mmap.mmap(-1, 65536)
        os.pwritev(descriptor, [page], 0)
        os.pwritev(descriptor, [page], 65536)
        os.preadv(descriptor, [page], 0)
        os.close(descriptor)


def _through_memory(path: Path) -> None:
    path.write_bytes(b"m" * 65536)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 65536) as view:
        view[5000] = 1
        view.flush()


def common(place: Path) -> None:
    """What every writable file system can do."""
    os.chdir(place)
    descriptor = os.open("tpkit-shaped", os.O_CREAT | os.O_RDWR, 0o600)
    _shape_file(descriptor)
    _map_extents(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(descriptor, 100000, 0)
    call("readahead", descriptor, 0, 65536)
    os.close(descriptor)
    for number in range(60):
        Path(f"tpkit-small-{number}").write_bytes(b"s" * number * 50)
    Path("tpkit-d/tpkit-e").mkdir(parents=True)
    os.listdir(".")
    os.symlink("tpkit-small-1", "tpkit-link")
    os.symlink("tpkit-" * 150, "tpkit-long-link")
    os.readlink("tpkit-long-link")
    os.link("tpkit-small-2", "tpkit-hard")
    os.rename("tpkit-small-3", "tpkit-d/tpkit-moved")
    with suppress(OSError):
        call("renameat2", -100, b"tpkit-small-4", -100, b"tpkit-white", 4)
        call("renameat2", -100, b"tpkit-small-5", -100, b"tpkit-small-6", 2)
    os.mknod("tpkit-pipe", 0o10600)
    for name, value in (("user.tpkit", b"v"), ("user.big", b"v" * 3000), ("trusted.tpkit", b"x" * 200)):
        with suppress(OSError):
            os.setxattr("tpkit-small-9", name, value)
    os.listxattr("tpkit-small-9")
    with suppress(OSError):
        os.removexattr("tpkit-small-9", "user.big")
    with suppress(OSError):
        os.setxattr("tpkit-small-9", "system.posix_acl_access",
                    struct.pack("<IHHIHHIHHIHHIHHI", 2, 1, 6, -1 & 0xFFFFFFFF, 2, 4, 1000, 4, 4, 0xFFFFFFFF,
                                16, 4, 0xFFFFFFFF, 32, 0, 0xFFFFFFFF))  # fmt: skip
    os.chmod("tpkit-small-9", 0o640)
    os.chown("tpkit-small-9", 1000, 1000)
    os.utime("tpkit-small-9", (1, 2))
    _directly(Path("tpkit-direct"))
    _through_memory(Path("tpkit-mapped"))
    with suppress(OSError):
        descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
        os.write(descriptor, b"t")
        os.close(descriptor)
    os.sync()
    for number in range(20, 60):
        os.unlink(f"tpkit-small-{number}")
    Path("tpkit-d/tpkit-e").rmdir()
    with suppress(OSError):
        Path("tpkit-d").rmdir()
    os.unlink("tpkit-direct")
    _map_space(place)
    _trim_and_freeze(place)


def _trim_and_freeze(place: Path) -> None:
    here = os.open(place, os.O_RDONLY)
    call_ioctl(here, 0xC0185879, struct.pack("QQQ", 0, 1 << 62, 0))  # FITRIM
    call_ioctl(here, 0xC0045877, struct.pack("i", 0))  # FIFREEZE
    call_ioctl(here, 0xC0045878, struct.pack("i", 0))  # FITHAW
    call_ioctl(here, 0x80086601, bytes(8))  # FS_IOC_GETFLAGS
    os.close(here)


def call_ioctl(descriptor: int, request: int, data: bytes) -> None:
    """An ioctl whose refusal doesn't matter."""
    with suppress(OSError):
        fcntl.ioctl(descriptor, request, bytearray(data))


def fill(place: Path) -> None:
    """Until there is no space left, then make some again."""
    os.chdir(place)
    with suppress(OSError):
        descriptor = os.open("tpkit-fill", os.O_CREAT | os.O_WRONLY, 0o600)
        with suppress(OSError):
            while True:
                call("fallocate", descriptor, 0, os.fstat(descriptor).st_size, 16 << 20)
        with suppress(OSError):
            os.write(descriptor, b"f" * (1 << 20))
        os.close(descriptor)
    with suppress(OSError):
        os.unlink("tpkit-fill")


# --------------------------------------------------------------------------------------- ext4


def ext4_plain(folder: Path) -> None:
    with mounted(folder, "ext4", "dioread_nolock") as place:
        common(place)


def ext4_journal(folder: Path) -> None:
    with mounted(folder, "ext4j", "discard,auto_da_alloc,data=ordered") as place:
        common(place)
        os.chdir(place)
        source, target = Path("tpkit-from"), Path("tpkit-to")
        source.write_bytes(b"1" * 262144)
        os.sync()
        target.write_bytes(b"2" * 262144)
        os.sync()
        with source.open("r+b") as one, target.open("r+b") as other:
            # EXT4_IOC_MOVE_EXT: reserved, donor, original start, donor start, length, moved
            call_ioctl(one.fileno(), 0xC028660F, struct.pack("IIQQQQ", 0, other.fileno(), 0, 0, 16, 0))
            call_ioctl(one.fileno(), 0x660C, b"")  # EXT4_IOC_ALLOC_DA_BLKS
            call_ioctl(one.fileno(), 0xC0206611, bytes(32))
        fill(place)
        for number in range(30):
            Path(f"tpkit-fast-{number}").write_bytes(b"q")
            with Path(f"tpkit-fast-{number}").open("r+b") as file:
                os.fsync(file.fileno())
        os.unlink("tpkit-fast-1")


def ext4_grow(folder: Path) -> None:
    with mounted(folder, "ext4j") as place:
        here = os.open(place, os.O_RDONLY)
        call_ioctl(here, 0x40086610, struct.pack("Q", 40000))  # EXT4_IOC_RESIZE_FS
        call_ioctl(here, 0x4004662B, struct.pack("I", 0))  # EXT4_IOC_CHECKPOINT
        os.close(here)


def ext4_shutdown(folder: Path) -> None:
    """The emergency brake, on our own image."""
    with mounted(folder, "ext4j") as place:
        Path(place, "tpkit-late").write_bytes(b"x")
        here = os.open(place, os.O_RDONLY)
        call_ioctl(here, 0x8004587D, struct.pack("I", 1))
        with suppress(OSError):
            Path(place, "tpkit-after").write_bytes(b"x")
        os.close(here)


def ext2_on_ext4(folder: Path) -> None:
    """Indirect blocks: the old layout, served by the same driver."""
    with mounted(folder, "ext2") as place:
        os.chdir(place)
        descriptor = os.open("tpkit-indirect", os.O_CREAT | os.O_RDWR, 0o600)
        for offset in (0, 100_000, 5_000_000):
            os.pwrite(descriptor, b"i" * 5000, offset)
        os.fsync(descriptor)
        os.ftruncate(descriptor, 100)
        os.close(descriptor)


EXT4: tuple[Step, ...] = (ext4_plain, ext4_journal, ext4_grow, ext2_on_ext4, ext4_shutdown)


# ---------------------------------------------------------------------------------------- xfs


def _xfs_io(place: Path, *commands: str) -> None:
    for command in commands:
        with suppress(Exception):
            run("xfs_io", "-x", "-f", "-c", command, str(place))


def xfs_common(folder: Path) -> None:
    with mounted(folder, "xfs", "discard") as place:
        common(place)


def xfs_sharing(folder: Path) -> None:
    with mounted(folder, "xfs") as place:
        os.chdir(place)
        Path("tpkit-one").write_bytes(b"1" * 500_000)
        Path("tpkit-two").write_bytes(b"1" * 500_000)
        os.sync()
        with Path("tpkit-one").open("r+b") as one, Path("tpkit-copy").open("w+b") as copy:
            call_ioctl_number(copy.fileno(), 0x40049409, one.fileno())  # FICLONE
            copy.write(b"unshared")
            copy.flush()
            os.fsync(copy.fileno())
        _xfs_io(place / "tpkit-two", "dedupe tpkit-one 0 0 65536", "bmap -v", "funshare 0 65536", "swapext tpkit-one",
                "exchangerange tpkit-one", "fsmap", "inject", "cowextsize 65536", "extsize 65536", "chattr +x",
                "chproj 5", "lsattr", "stat", "bulkstat", "inumbers", "parent", "scrub probe")  # fmt: skip
        fragmented = os.open("tpkit-fragments", os.O_CREAT | os.O_RDWR, 0o600)
        for number in range(0, 400, 2):
            os.pwrite(fragmented, b"f" * 4096, number * 4096)
            if number % 40 == 0:
                os.fsync(fragmented)
        os.fsync(fragmented)
        os.close(fragmented)
        os.unlink("tpkit-fragments")


def call_ioctl_number(descriptor: int, request: int, argument: int) -> None:
    with suppress(OSError):
        fcntl.ioctl(descriptor, request, argument)


def xfs_attributes(folder: Path) -> None:
    with mounted(folder, "xfs") as place:
        os.chdir(place)
        Path("tpkit-attributes").touch()
        for number in range(80):
            os.setxattr("tpkit-attributes", f"user.tpkit{number}", bytes([number]) * 60)
        os.setxattr("tpkit-attributes", "user.large", b"l" * 30000)
        os.listxattr("tpkit-attributes")
        os.getxattr("tpkit-attributes", "user.large")
        for number in range(80):
            os.removexattr("tpkit-attributes", f"user.tpkit{number}")
        os.unlink("tpkit-attributes")
        large = Path("tpkit-large")
        large.mkdir()
        for number in range(700):
            (large / f"tpkit-with-a-rather-long-name-{number:05}").touch()
        os.listdir(large)
        for number in range(700):
            (large / f"tpkit-with-a-rather-long-name-{number:05}").unlink()
        large.rmdir()


def xfs_scrub(folder: Path) -> None:
    with mounted(folder, "xfs") as place:
        for what in ("sb 0", "agf 0", "agi 0", "agfl 0", "bnobt 0", "cntbt 0", "inobt 0", "finobt 0", "rmapbt 0",
                     "refcountbt 0", "inode", "bmapbtd", "directory", "rtbitmap", "usrquota", "fscounters",
                     "quotacheck", "nlinks", "dirtree", "metapath"):  # fmt: skip
            _xfs_io(place, f"scrub {what}")
        _xfs_io(place, "repair inode", "repair rmapbt 0", "repair bnobt 0", "repair inobt 0")


def xfs_space(folder: Path) -> None:
    with mounted(folder, "xfs") as place:
        fill(place)
        with suppress(Exception):
            run("xfs_growfs", "-D", "100000", str(place))
        with suppress(Exception):
            run("xfs_spaceman", "-c", "freesp", str(place))
        _xfs_io(place, "freeze", "thaw", "resblks 2000", "fsuuid", "label -s tpkit")


def xfs_shutdown(folder: Path) -> None:
    """The emergency brake, and the recovery of the log at the next mount."""
    with mounted(folder, "xfs") as place:
        for number in range(20):
            (place / f"tpkit-late-{number}").write_bytes(b"x" * number * 1000)
        here = os.open(place, os.O_RDONLY)
        call_ioctl(here, 0x8004587D, struct.pack("I", 1))
        os.close(here)
    with mounted(folder, "xfs") as place:
        os.listdir(place)


XFS: tuple[Step, ...] = (xfs_common, xfs_sharing, xfs_scrub)
XFS_LARGE: tuple[Step, ...] = (xfs_attributes,)
XFS_SPACE: tuple[Step, ...] = (xfs_space, xfs_shutdown)


# -------------------------------------------------------------------------------------- btrfs


def _btrfs(*arguments: str) -> None:
    with suppress(Exception):
        run("btrfs", *arguments)


def btrfs_common(folder: Path) -> None:
    with mounted(folder, "btrfs", "compress-force=zstd,discard") as place:
        common(place)


def btrfs_volumes(folder: Path) -> None:
    with mounted(folder, "btrfs") as place:
        root = str(place)
        _btrfs("quota", "enable", root)
        _btrfs("subvolume", "create", f"{root}/tpkit-volume")
        (place / "tpkit-volume" / "tpkit-data").write_bytes(os.urandom(1 << 20))
        _btrfs("filesystem", "sync", root)
        _btrfs("subvolume", "snapshot", "-r", f"{root}/tpkit-volume", f"{root}/tpkit-snapshot")
        _btrfs("send", "-f", f"{folder}/tpkit-stream", f"{root}/tpkit-snapshot")
        _btrfs("qgroup", "limit", "10M", f"{root}/tpkit-volume")
        _btrfs("qgroup", "show", root)
        with (place / "tpkit-clone").open("w+b") as copy, (place / "tpkit-volume/tpkit-data").open("rb") as one:
            call_ioctl_number(copy.fileno(), 0x40049409, one.fileno())
        _btrfs("filesystem", "defragment", "-f", f"{root}/tpkit-volume/tpkit-data")
        _btrfs("balance", "start", "--full-balance", root)
        _btrfs("scrub", "start", "-B", root)
        _btrfs("filesystem", "resize", "400m", root)
        _btrfs("subvolume", "delete", "-c", f"{root}/tpkit-snapshot")
        _btrfs("quota", "rescan", "-w", root)
        _btrfs("device", "stats", root)
        _btrfs("filesystem", "usage", root)
        fill(place)


BTRFS: tuple[Step, ...] = (btrfs_common, btrfs_volumes)


# ------------------------------------------------------------------------------------- others


def read_only_images(folder: Path) -> None:
    for name in ("erofs", "squashfs"):
        with suppress(Exception), mounted(folder, name, "ro") as place:
            for path in sorted(place.rglob("tpkit-*")):
                if path.is_file():
                    path.read_bytes()
            inner = place / "tpkit-inner/tpkit-1"
            descriptor = os.open(inner, os.O_RDONLY)
            _map_extents(descriptor)
            os.close(descriptor)


def reclaim(folder: Path) -> None:
    """More pages of files than a control group may hold, then all of them pushed out."""
    with mounted(folder, "ext4j") as place, limited(12 << 20) as group:
        in_child(lambda: _fill_page_cache(group, place / "tpkit-cache"))
        with suppress(OSError):
            (group / "memory.force_empty").write_text("0")


def _fill_page_cache(group: Path, path: Path) -> None:
    enter_group(group)
    with path.open("wb") as file:
        for _ in range(40):
            file.write(b"c" * (1 << 20))
        os.fsync(file.fileno())
    path.read_bytes()
    descriptors = [(path.parent / f"tpkit-{number}").open("wb") for number in range(200)]
    for each in descriptors:
        each.close()
    with suppress(OSError):
        (group / "memory.force_empty").write_text("0")
    path.unlink()


def layered(folder: Path) -> None:
    for name in ("tpkit-low", "tpkit-up", "tpkit-work", "tpkit-all"):
        Path(name).mkdir()
    Path("tpkit-low/tpkit-f").write_bytes(b"low")
    run("mount", "-t", "overlay", "-o", "lowerdir=tpkit-low,upperdir=tpkit-up,workdir=tpkit-work", "none", "tpkit-all")
    Path("tpkit-all/tpkit-f").write_bytes(b"up")
    Path("tpkit-all/tpkit-f").unlink()
    umount("tpkit-all")


@contextmanager
def _loop_device(image: Path) -> Iterator[tuple[int, int]]:
    """A free loop device on the image, as descriptor and number; the kernel frees it with the descriptor."""
    control = os.open("/dev/loop-control", os.O_RDWR)
    number = fcntl.ioctl(control, 0x4C82)  # LOOP_CTL_GET_FREE
    os.close(control)
    device, backing = os.open(f"/dev/loop{number}", os.O_RDWR), os.open(image, os.O_RDWR)
    try:
        # LOOP_CONFIGURE with LO_FLAGS_AUTOCLEAR, which ends with us even if we are killed.
        configuration = struct.pack("II52xI", backing, 0, 4).ljust(304, b"\0")
        fcntl.ioctl(device, 0x4C0A, configuration)  # fails if someone else was quicker
        yield device, number
    finally:
        os.close(device)
        os.close(backing)


@contextmanager
def _setting(path: Path, value: str) -> Iterator[None]:
    """Another value for a device's setting, and the old one again."""
    before = path.read_text()
    chosen = re.search(r"\[(.*)\]", before)
    with suppress(OSError):
        path.write_text(value)
    try:
        yield
    finally:
        with suppress(OSError):
            path.write_text(chosen[1] if chosen else before)


def block_device(folder: Path) -> None:
    """A loop device read and written as a device, with each of the schedulers."""
    image = folder / "tpkit-block.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    with _loop_device(image) as (device, number):
        queue = Path(f"/sys/block/loop{number}/queue")
        for scheduler in ("kyber", "mq-deadline", "bfq", "none"):
            with _setting(queue / "scheduler", scheduler):
                _use_device(device, number)
        with _setting(queue / "wbt_lat_usec", "1000"), _setting(queue / "max_sectors_kb", "64"):
            _use_device(device, number)


def _use_device(device: int, number: int) -> None:
    os.pwrite(device, b"b" * (1 << 20), 0)
    os.fsync(device)
    os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(device, 1 << 20, 0)
    call_ioctl(device, 0x1277, struct.pack("QQ", 0, 65536))  # BLKDISCARD
    call_ioctl(device, 0x127F, struct.pack("QQ", 65536, 65536))  # BLKZEROOUT
    with suppress(OSError):
        direct = os.open(f"/dev/loop{number}", os.O_RDWR | os.O_DIRECT)
        page = mmap.mmap(-1, 1 << 20)
        for offset in range(0, 1 << 20, 65536):
            os.pwritev(direct, [memoryview(page)[:4096]], offset)
        os.preadv(direct, [page], 0)
        with suppress(OSError):
            os.pread(direct, 4096, 1 << 40)
        os.close(direct)


def on_the_disk(_folder: Path) -> None:
    """A little direct I/O on the machine's own disk, in a file that is deleted at once."""
    with tempfile.TemporaryFile(dir="/var/tmp", prefix="tpkit-workload-") as file:
        descriptor = file.fileno()
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_DIRECT)
        page = mmap.mmap(-1, 65536)
        for offset in range(0, 1 << 20, 65536):
            os.pwritev(descriptor, [page], offset)
        os.preadv(descriptor, [page], 0)
        os.fsync(descriptor)


OTHERS: tuple[Step, ...] = (read_only_images, reclaim, layered, block_device, on_the_disk)
