"""Errors by the names that the kernel has for them: uapi/asm-generic/errno.h, lib/errname.c."""

from __future__ import annotations

import errno
from collections.abc import Mapping

# Of two names for a number Python keeps the one that it heard of last, which may be the C library's.
_KERNELS = ("EAGAIN", "EDEADLK", "EOPNOTSUPP")

ERROR_NAMES: Mapping[int, str] = {**errno.errorcode, **{getattr(errno, name): name for name in _KERNELS}}
