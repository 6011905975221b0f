"""Whatever the text, only FormatError comes out; whatever the record, nothing does but a text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_print_fmt_grammar import shapes
from tests.unit.test_print_fmt_render import event
from tpkit.errors import FormatError
from tpkit.print_fmt import Renderer, decodings, parse_print_fmt, shown_fields, unevaluable

PIECES = st.sampled_from(
    "REC-> REC->a REC->b __get_str( d __print_flags( __print_symbolic( { } ( ) [ ] , ; ? : . -> & * + - ~ ! "
    '<< == && || = sizeof struct unsigned (u8) (void\x20*) typeof( ({ }) 0x1 -1 12UL \'x\' "s" "|" foo( B '
    "%d %s %*ph \\ \n \t".split(" ")
)
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), st.one_of(PIECES, st.text(max_size=3))), min_size=1, max_size=6
)


def mutated(text: str, changes: list[tuple[float, int, str]]) -> str:
    for place, length, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + length :]
    return text


def failure(text: str) -> FormatError | None:
    try:
        parse_print_fmt(text)
    except FormatError as error:
        return error
    return None


def survives(text: str, record: bytes) -> None:
    """Read a print fmt and use all that can be made of it."""
    error = failure(text)
    if error:
        assert (error.line >= 1, error.column >= 1, "\n" in error.text) == (True, True, False)
        return
    made = event(" ", "int a:8:4:1,char b[8]:12:8:0,__data_loc char[] d:20:4:1")
    made = type(made)(made.id, made.number, made.common_fields, made.fields, text)
    decodings(made)
    shown_fields(made)
    unevaluable(made)
    assert isinstance(Renderer(made).render(record).text, str)


@given(st.sampled_from(shapes()), MUTATIONS, st.binary(max_size=64))
@settings(deadline=None, max_examples=300)
def test_mutated_shapes(shape: str, changes: list[tuple[float, int, str]], record: bytes) -> None:
    survives(mutated(shape, changes), record)


@given(st.lists(PIECES, max_size=30), st.binary(max_size=64))
@settings(deadline=None, max_examples=300)
def test_heaps_of_pieces(pieces: list[str], record: bytes) -> None:
    survives('"%d %s %pM %*ph", ' + " ".join(pieces), record)


@given(st.text(), st.binary(max_size=64))
@settings(deadline=None, max_examples=200)
def test_any_text(text: str, record: bytes) -> None:
    survives(f'"{text}", REC->a, REC->b, __get_str(d)', record)
    survives(text, record)
