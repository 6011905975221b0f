"""Files: what they are, what directories hold, handles."""

from __future__ import annotations

from tpkit.decode.structs import shapes
from tpkit.decode.structs.given import Given
from tpkit.decode.structs.members import hexadecimal, text, unsigned, value

_DEVICES = frozenset({"S_IFCHR", "S_IFBLK"})


def stat(given: Given) -> str:
    """``{st_mode=S_IFREG|0644, st_size=5, ...}``; of a device its number instead of a size."""
    words = shapes.parts(given, "stat")
    if len(words) < 3:
        return shapes.struct(given, "stat")
    kind = words[0].removeprefix("st_mode=").partition("|")[0]
    return f"{{{words[0]}, {words[2] if kind in _DEVICES else words[1]}, ...}}"


def directory(given: Given) -> str:
    """What getdents64 brought: each entry's inode, kind and name."""
    return _directory(given, "directory_entry")


def old_directory(given: Given) -> str:
    """What getdents brought; the kind is in the entry's last byte (getdents(2))."""
    return _directory(given, "old_directory_entry")


def file_handle(given: Given) -> str:
    r"""``{handle_bytes=8, handle_type=1, f_handle="\x0a…"}``: open_by_handle_at(2)."""
    words = shapes.parts(given, "file_handle")
    start = shapes.layout("file_handle", given.machine)[0]
    handle = given.data[start : start + unsigned(given.data[:4])]
    if len(words) == 2 and handle and given.succeeded:
        digits = "".join(f"\\x{byte:02x}" for byte in handle)
        words.append(f'f_handle="{digits}"')
    return f"{{{', '.join(words)}}}"


def _directory(given: Given, name: str) -> str:
    members = {label: (offset, size) for label, offset, size, *_ in shapes.layout(name, given.machine)[2]}
    start, size = members["d_reclen"]
    words: list[str] = []
    data = given.data
    while len(data) > members["d_name"][0]:
        length = unsigned(data[start : start + size])
        if length <= members["d_name"][0] or length > len(data):
            break
        words.append(_entry(data[:length], name, members["d_name"][0], given.machine))
        data = data[length:]
    if given.is_cut or data:
        words.append("...")
    return f"[{', '.join(words)}]"


def _entry(data: bytes, name: str, name_at: int, machine: str) -> str:
    old = name == "old_directory_entry"
    kind = data[-1:] if old else data[name_at - 1 : name_at]
    d_name = data[name_at : -1 if old else None]
    inode = hexadecimal(unsigned(data[:8])) if len(data) < 8 else str(unsigned(data[:8]))
    return f"{{d_ino={inode}, d_type={value(kind, False, 'directory_entry_type', machine)}, d_name={text(d_name)}}}"
