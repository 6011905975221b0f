"""The public names, written down twice on purpose: each is importable, none is forgotten."""

from __future__ import annotations

import tpkit


def test_every_public_name_is_there() -> None:
    for name in tpkit.__all__:
        assert getattr(tpkit, name) is not None


def test_all_is_sorted_and_complete() -> None:
    assert sorted(tpkit.__all__) == sorted(set(tpkit.__all__))
    assert set(tpkit.__all__) == {*tpkit._HOME, "__version__"}


def test_every_error_is_public() -> None:
    from tpkit import errors

    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert classes <= set(tpkit.__all__)
    assert all(name in (errors.__doc__ or "") for name in classes)
