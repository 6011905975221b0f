"""The templates: found beside the package (as installed) or beside the checkout, and rendered."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tpkit.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).resolve().parent.parent
FOLDERS = (_PACKAGE / "templates", _PACKAGE.parent / "templates")


def render_template(name: str, **values: object) -> str:
    """The template's text with these values; a value that it names and didn't get is an error."""
    return _environment().get_template(name).render(version=__version__, **values)


@cache
def _environment() -> Environment:
    import jinja2  # 60 ms that list and describe needn't pay

    folder = next((each for each in FOLDERS if each.is_dir()), FOLDERS[0])
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C isn't HTML  # noqa: S701
    )
