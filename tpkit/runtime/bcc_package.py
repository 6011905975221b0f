"""Finds and imports the distribution's BCC, from whatever interpreter runs us.

BCC's Python package belongs to the distribution (PyPI's ``bcc`` is something else). It is pure Python
over ``libbcc.so.0``, so any interpreter can import it by its path, in a venv as well. Only that one
package is loaded, never its whole folder, and only from a path that nobody but root can write.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from tpkit.errors import BccNotFound
from tpkit.host import install_command, is_root_owned


def package_folders() -> tuple[Path, ...]:
    """Where distributions put BCC's package: Debian's dist-packages, others' site-packages."""
    version = sysconfig.get_python_version()
    others = sorted(Path("/usr/lib").glob("python3.*/site-packages/bcc"), reverse=True)
    return (
        Path("/usr/lib/python3/dist-packages/bcc"),
        Path(f"/usr/lib/python{version}/site-packages/bcc"),
        Path(f"/usr/lib64/python{version}/site-packages/bcc"),
        *others,
    )


def import_bcc(folders: Iterable[Path] | None = None) -> ModuleType:
    """The distribution's ``bcc`` module. Raises BccNotFound, naming the package to install."""
    loaded = sys.modules.get("bcc")
    if loaded is not None and hasattr(loaded, "BPF"):
        return loaded
    folder = _find(package_folders() if folders is None else folders)
    spec = importlib.util.spec_from_file_location(
        "bcc", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    try:
        with warnings.catch_warnings():
            # BCC 0.26 has regular expressions that Python 3.12 and newer warn of.
            warnings.simplefilter("ignore", SyntaxWarning)
            spec.loader.exec_module(module)
    except BaseException as error:
        for name in [name for name in sys.modules if name == "bcc" or name.startswith("bcc.")]:
            del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise BccNotFound(
            "BCC's Python package and its library don't fit each other or this Python",
            where=str(folder),
            remedy=install_command("bcc"),
            details=f"{type(error).__name__}: {error}",
        ) from None
    return module


def _find(folders: Iterable[Path]) -> Path:
    for folder in folders:
        source = folder / "__init__.py"
        if not source.exists():
            continue
        if all(is_root_owned(path) for path in (folder.parent, folder, source)):
            return folder
        raise BccNotFound(
            "BCC's package can be changed by others than root, so it isn't loaded",
            where=str(folder),
            remedy=f"check its owner and permissions, or reinstall it: {install_command('bcc')}",
        )
    raise BccNotFound("BCC for Python isn't installed", remedy=install_command("bcc"))
