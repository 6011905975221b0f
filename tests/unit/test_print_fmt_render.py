"""Rendering: C's arithmetic, the kernel's conversions and helpers. Expectations follow the kernel."""

import struct

import pytest

from tpkit.format_parser import parse_format
from tpkit.model import CType, EventFormat, Field
from tpkit.print_fmt import Machine, Renderer, SortedSymbols, render

HEADER = (
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
)
BIG = Machine(byte_order="big")


def event(print_fmt: str, fields: str = "", category: str = "test", name: str = "test") -> EventFormat:
    """An event; fields are ``declaration:offset:size:signed`` with commas between them."""
    lines = ""
    for each in filter(None, fields.split(",")):
        declaration, offset, size, signed = each.split(":")
        lines += f"\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};\n"
    text = f"name: {name}\nID: 1\nformat:\n{HEADER}{lines}\nprint fmt: {print_fmt}\n"
    return parse_format(text, category, name)


def shown(print_fmt: str, fields: str = "", data: bytes = b"", machine: Machine | None = None) -> str:
    """The text of a record whose data begin at offset 8."""
    return render(event(print_fmt, fields), bytes(8) + data, machine or Machine())


def doubts(print_fmt: str, fields: str = "", data: bytes = b"", machine: Machine | None = None) -> list[str]:
    rendering = Renderer(event(print_fmt, fields), machine or Machine()).render(bytes(8) + data)
    return [each.reason for each in rendering.doubts]


class TestNumbers:
    @pytest.mark.parametrize(
        ("conversion", "argument", "text"),
        [
            ("%d", "-1", "-1"),
            ("%u", "-1", "4294967295"),
            ("%x", "-1", "ffffffff"),
            ("%lx", "-1L", "ffffffffffffffff"),
            ("%Lu", "18446744073709551615ULL", "18446744073709551615"),
            ("%llx", "0xdeadbeefULL", "deadbeef"),
            ("%zu", "sizeof(u64)", "8"),
            ("%zd", "-1L", "-1"),
            ("%hhx", "0x1ff", "ff"),
            ("%hhd", "0xff", "-1"),
            ("%hx", "0x12345", "2345"),
            ("%d", "4294967295", "-1"),
            ("%5d|", "42", "   42|"),
            ("%-5d|", "42", "42   |"),
            ("%05d", "-42", "-0042"),
            ("%+d", "42", "+42"),
            ("% d", "42", " 42"),
            ("%#x", "255", "0xff"),
            ("%#x", "0", "0x0"),
            ("%#o", "8", "010"),
            ("%#o", "0", "0"),
            ("%#X", "255", "0XFF"),
            ("%08x", "0xbeef", "0000beef"),
            ("%#010x", "255", "0x000000ff"),
            ("%.4x", "1", "0001"),
            ("%8.4x", "1", "    0001"),
            ("%03o", "8", "010"),
            ("%i", "7", "7"),
            ("%c", "'A'", "A"),
            ("%3c|", "65", "  A|"),
            ("%-3c|", "65", "A  |"),
            ("100%%", "", "100%"),
        ],
    )
    def test_conversion(self, conversion: str, argument: str, text: str) -> None:
        assert shown(f'"{conversion}", {argument}') == text

    def test_stars(self) -> None:
        assert shown('"%0*llx|%-*d|%.*s", 8, 255ULL, 4, 1, 2, "abc"') == "000000ff|1   |ab"
        assert shown('"%*d|", -4, 1') == "1   |"

    def test_an_unknown_conversion_ends_the_text(self) -> None:
        assert shown('"a %n b", 1') == "a "

    def test_a_missing_argument_is_marked(self) -> None:
        assert shown('"%d %d", 1') == "1 <%d>"


class TestArithmetic:
    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("-7 / 2", -3),
            ("-7 % 2", -1),
            ("7 / -2", -3),
            ("(u8)300", 44),
            ("(s8)200", -56),
            ("(unsigned int)-1 > 0", 1),
            ("-1 > 0U", 1),
            ("-1 < 0L", 1),
            ("1 << 31", -(1 << 31)),
            ("1UL << 31", 1 << 31),
            ("-8 >> 1", -4),
            ("~0", -1),
            ("!5", 0),
            ("0xffffffff + 1", 0),
            ("2147483647L + 1", 1 << 31),
            ("1 ? 2 : 3", 2),
            ("0 ?: 3", 3),
            ("1 && 0 || 1", 1),
            ("(bool)4", 1),
            ("sizeof(int) * 2", 8),
            ("sizeof(void *)", 8),
            ("sizeof(struct { int:(-!!(0)); })", 0),
            ("({ int x = 3; int y = 4; x < y ? x : y; })", 3),
            ("((ktime_t) { .tv64 = 5 }).tv64", 5),
            ("__builtin_expect(!!(4), 0)", 1),
            ("__builtin_choose_expr(1, 2, 3)", 2),
            ("__builtin_constant_p(1)", 1),
            ("__builtin_bswap16(0x1234)", 0x3412),
            ("__builtin_ctzll(8ULL)", 3),
            ("__builtin_ffsll(8ULL)", 4),
            ("__builtin_clz(1)", 31),
            ("ktime_to_us(-1500)", -1),
            ("'a' + 1", 98),
            ("true + false", 1),
            ("(1, 2)", 2),
        ],
    )
    def test_value(self, argument: str, value: int) -> None:
        assert shown(f'"%lld", (long long)({argument})') == str(value)

    def test_a_32_bit_kernel(self) -> None:
        machine = Machine(long_size=4)
        assert shown('"%lx %zu", -1L, sizeof(long)', machine=machine) == "ffffffff 4"

    def test_division_by_zero_is_marked(self) -> None:
        assert shown('"%d", 1 / 0') == "<1 / 0>"
        assert doubts('"%d", 1 / 0') == ["a division by zero"]


class TestFields:
    def test_sizes_and_signs(self) -> None:
        fields = "u8 a:8:1:0,s8 b:9:1:1,u16 c:10:2:0,int d:12:4:1,u64 e:16:8:0"
        data = struct.pack("<BbHiQ", 255, -1, 65535, -5, 1 << 63)
        text = shown('"%d %d %d %d %llu", REC->a, REC->b, REC->c, REC->d, REC->e', fields, data)
        assert text == f"255 -1 65535 -5 {1 << 63}"

    def test_big_endian(self) -> None:
        assert shown('"%x", REC->a', "u32 a:8:4:0", bytes.fromhex("12345678"), BIG) == "12345678"

    def test_arrays_by_index_and_by_address(self) -> None:
        data = struct.pack("<4H", 1, 2, 3, 4)
        fmt = '"%d %d %d %d", REC->a[1], *(REC->a + 2), (&REC->a[1])[2], *((u8 *)REC->a)'
        assert shown(fmt, "u16 a[4]:8:8:0", data) == "2 3 4 1"

    def test_the_size_of_an_array_and_of_a_field(self) -> None:
        assert shown('"%zu %zu", sizeof(REC->a), sizeof(REC->a[0])', "u16 a[4]:8:8:0", bytes(8)) == "8 2"

    def test_a_zero_sized_array_reaches_to_the_end(self) -> None:
        assert shown('"%lx", REC->a[1]', "unsigned long a:8:0:0", struct.pack("<QQ", 1, 255)) == "ff"

    def test_text_ends_at_its_nul(self) -> None:
        assert shown('"[%s] [%5s] [%-5s] [%.1s]", REC->a, REC->a, REC->a, REC->a', "char a[4]:8:4:0", b"ab\0x") == (
            "[ab] [   ab] [ab   ] [a]"
        )

    def test_text_that_is_no_utf_8_survives(self) -> None:
        text = shown('"%s", REC->a', "char a[4]:8:4:0", b"\xffa\0\0")
        assert text.encode("utf-8", "surrogateescape") == b"\xffa"

    def test_data_loc(self) -> None:
        data = struct.pack("<I", 5 << 16 | 12) + b"text\0"
        fields = "__data_loc char[] a:8:4:1"
        assert shown('"%s %d", __get_str(a), __get_dynamic_array_len(a)', fields, data) == "text 5"
        assert shown('"%x", REC->__data_loc_a', fields, data) == "5000c"
        assert shown('"%s", (char *)((void *)REC + (REC->a & 0xffff))', fields, data) == "text"

    def test_rel_loc(self) -> None:
        data = struct.pack("<II", 5 << 16 | 4, 0) + b"text\0"
        assert shown('"%s", __get_rel_str(a)', "__rel_loc char[] a:8:4:1", data) == "text"

    def test_common_fields_also_by_the_record_s_head(self) -> None:
        record = struct.pack("<HHi", 7, 0, 42)
        assert render(event('"%d %d", REC->common_pid, REC->ent.pid'), record) == "42 42"

    def test_what_is_missing_is_marked(self) -> None:
        assert shown('"%d", REC->nothing') == "<REC->nothing>"
        assert shown('"%d", REC->a', "int a:8:4:1", b"\0") == "<REC->a>"
        assert doubts('"%d", REC->a', "int a:8:4:1", b"\0") == ["beyond the end of the record"]

    def test_members_through_a_layout(self) -> None:
        def members(struct_name: str, member: str) -> Field | None:
            assert (struct_name, member) == ("struct fid", "vnode")
            return Field("vnode", CType("u32", "u32"), 4, 4, False)

        fields = "struct fid a:8:8:0"
        data = struct.pack("<II", 1, 2)
        assert shown('"%d", REC->a.vnode', fields, data, Machine(members=members)) == "2"
        assert shown('"%d", REC->a.vnode', fields, data) == "<REC->a.vnode>"


class TestStrings:
    @pytest.mark.parametrize(("address", "text"), [(0, "(null)"), (8, "(efault)"), ((1 << 64) - 2, "(efault)")])
    def test_bad_pointers(self, address: int, text: str) -> None:
        assert shown('"%s", REC->a', "const char * a:8:8:0", struct.pack("<Q", address)) == text

    def test_kernel_text_is_asked_for_or_marked(self) -> None:
        data = struct.pack("<Q", 0xFFFFFFFF81000000)
        fields = "const char * a:8:8:0"
        assert shown('"%s", REC->a', fields, data) == "<0xffffffff81000000>"
        machine = Machine(strings={0xFFFFFFFF81000000: "begin"}.get)
        assert shown('"%s", REC->a', fields, data, machine) == "begin"


class TestHelpers:
    def test_flags(self) -> None:
        fmt = '"%s", __print_flags(REC->a, "|", { 1, "A" }, { 6, "BC" }, { 8, "D" })'

        def flags(value: int) -> str:
            return shown(fmt, "unsigned long a:8:8:0", struct.pack("<Q", value))

        assert flags(0) == ""
        assert flags(7) == "A|BC"
        assert flags(0x1B) == "A|D|0x12"
        assert flags(0x20) == "0x20"

    def test_a_mask_of_zero_matches_as_long_as_bits_remain(self) -> None:
        fmt = '"[%s]", __print_flags(REC->a, ",", { 0, "none" }, { 1, "A" })'
        assert shown(fmt, "u32 a:8:4:0", struct.pack("<I", 1)) == "[none,A]"
        assert shown(fmt, "u32 a:8:4:0", struct.pack("<I", 0)) == "[]"

    def test_negative_flags_are_widened_to_a_long(self) -> None:
        fmt = '"%s", __print_flags(REC->a, "|", { 1, "A" })'
        assert shown(fmt, "int a:8:4:1", struct.pack("<i", -1)) == "A|0xfffffffffffffffe"

    def test_symbols(self) -> None:
        fmt = '"%s", __print_symbolic(REC->a, { 1, "one" }, { -1, "minus" }, { 2, "" })'

        def symbol(value: int) -> str:
            return shown(fmt, "int a:8:4:1", struct.pack("<i", value))

        assert [symbol(each) for each in (1, -1, 3, 2)] == ["one", "minus", "0x3", "0x2"]

    def test_names_without_a_number(self) -> None:
        fmt = '"%s", __print_symbolic(REC->a, { ONE, "one" }, { 2, "two" })'
        fields = "int a:8:4:1"
        one, two = struct.pack("<i", 1), struct.pack("<i", 2)
        assert shown(fmt, fields, two) == "two"
        assert shown(fmt, fields, one) == "<0x1>"
        assert doubts(fmt, fields, one) == ["ONE in its table have no number here"]
        assert shown(fmt, fields, one, Machine(names={"ONE": 1}.get)) == "one"

    def test_hex(self) -> None:
        fmt = '"%s|%s|%s", __print_hex(REC->a, 18), __print_hex_str(REC->a, 3), __print_hex(REC->a, 0)'
        text = shown(fmt, "u8 a[20]:8:20:0", bytes(range(20)))
        assert text == f"{bytes(range(18)).hex(' ')}|000102|"

    def test_arrays(self) -> None:
        data = struct.pack("<4H", 1, 2, 3, 0xFFFF)
        fields = "u16 a[4]:8:8:0"
        assert shown('"%s", __print_array(REC->a, 4, 2)', fields, data) == "{0x1,0x2,0x3,0xffff}"
        assert shown('"%s", __print_array(REC->a, 0, 2)', fields, data) == "{}"
        assert shown('"%s", __print_array(REC->a, 1, 3)', fields, data) == "{BAD SIZE:3 0x1,0x0,0x2}"

    def test_dynamic_array(self) -> None:
        data = struct.pack("<IHH", 4 << 16 | 12, 258, 3)
        assert shown('"%s", __print_dynamic_array(a, 2)', "__data_loc u16[] a:8:4:0", data) == "{0x102,0x3}"

    @pytest.mark.parametrize(
        ("machine", "packing"), [(Machine(), "<"), (BIG, ">"), (Machine(long_size=4), "<"), (Machine("big", 4), ">")]
    )
    def test_bitmask(self, machine: Machine, packing: str) -> None:
        number = "Q" if machine.long_size == 8 else "L"
        bits = (1 << 35 | 5,) if machine.long_size == 8 else (5, 8)
        longs = struct.pack(f"{packing}{len(bits)}{number}", *bits)
        data = struct.pack(f"{packing}I", 8 << 16 | 12) + longs
        fields = "__data_loc unsigned long[] a:8:4:0"
        assert shown('"%s", __get_bitmask(a)', fields, data, machine) == "00000008,00000005"

    def test_hex_dump(self) -> None:
        fmt = '"x%s", __print_hex_dump("p ", DUMP_PREFIX_OFFSET, 16, 1, REC->a, 18, true)'
        data = b"ABCDEFGHIJKLMNOP\0Q"
        lines = [
            "x",
            "p 00000000: 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP",
            "p 00000010: 00 51                                            .Q",
            "",
        ]
        assert shown(fmt, "u8 a[18]:8:18:0", data) == "\n".join(lines)

    def test_hex_dump_in_groups(self) -> None:
        fmt = '"%s", __print_hex_dump("", DUMP_PREFIX_NONE, 16, 4, REC->a, 8, false)'
        assert shown(fmt, "u8 a[8]:8:8:0", bytes(range(8))) == "\n03020100 07060504\n"

    def test_a_kernel_function_is_marked_with_its_arguments(self) -> None:
        text = shown('"%s", decode_it(REC->a, "x", 5000)', "int a:8:4:1", struct.pack("<i", 3))
        assert text == '<decode_it(3, "x", 0x1388)>'

    def test_ticks(self) -> None:
        assert shown('"%u", jiffies_to_msecs(5)', machine=Machine(hz=250)) == "20"
        assert doubts('"%u", jiffies_to_msecs(5)') == ["the kernel's ticks a second (CONFIG_HZ) aren't known"]


def pointed(extension: str, data: bytes, width: str = "", machine: Machine | None = None) -> str:
    """What ``%p`` with an extension shows of these bytes."""
    return shown(f'"%{width}p{extension}", REC->a', f"u8 a[{len(data)}]:8:{len(data)}:0", data, machine)


class TestPointers:
    @pytest.mark.parametrize(
        ("extension", "data", "text"),
        [
            ("M", "000102030405", "00:01:02:03:04:05"),
            ("MF", "000102030405", "00-01-02-03-04-05"),
            ("MR", "000102030405", "05:04:03:02:01:00"),
            ("m", "000102030405", "000102030405"),
            ("I4", "c0a80001", "192.168.0.1"),
            ("i4", "c0a80001", "192.168.000.001"),
            ("I4l", "c0a80001", "1.0.168.192"),
            ("I6", "20010db8000000000000000000000001", "2001:0db8:0000:0000:0000:0000:0000:0001"),
            ("i6", "20010db8000000000000000000000001", "20010db8000000000000000000000001"),
            ("I6c", "20010db8000000000000000000000001", "2001:db8::1"),
            ("I6c", "00000000000000000000000000000000", "::"),
            ("I6c", "00000000000000000000000000000001", "::1"),
            ("I6c", "00000000000000000000ffff01020304", "::ffff:1.2.3.4"),
            ("I6c", "fe800000000000000000000000000000", "fe80::"),
            ("I6c", "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"),
            ("ISpc", "0200" + "0050" + "7f000001" + "00" * 8, "127.0.0.1:80"),
            ("IS", "0200" + "0050" + "7f000001" + "00" * 8, "127.0.0.1"),
            ("ISpc", "0a00" + "0050" + "00000000" + "00" * 15 + "01" + "00000000", "[::1]:80"),
            ("ISpsfc", "0a00" + "0050" + "00000005" + "00" * 15 + "01" + "02000000", "[::1]:80/5%2"),
            ("ISpc", "0100" + "00" * 14, "(einval)"),
            ("U", "000102030405060708090a0b0c0d0e0f", "00010203-0405-0607-0809-0a0b0c0d0e0f"),
            ("UB", "a00102030405060708090a0b0c0d0e0f", "A0010203-0405-0607-0809-0A0B0C0D0E0F"),
            ("Ul", "000102030405060708090a0b0c0d0e0f", "03020100-0504-0706-0809-0a0b0c0d0e0f"),
            ("UL", "a00102030405060708090a0b0c0d0e0f", "030201A0-0504-0706-0809-0A0B0C0D0E0F"),
            ("ad", "0010000000000000", "0x0000000000001000"),
            ("a", "0010000000000000", "0x0000000000001000"),
            ("NF", "0100000000000000", "0x0000000000000001"),
            ("4cc", "58523234", "XR24 little-endian (0x34325258)"),
            ("tR", struct.pack("<6i", 1, 2, 3, 4, 0, 100).hex(), "2000-01-04T03:02:01"),
        ],
    )
    def test_memory(self, extension: str, data: str, text: str) -> None:
        assert pointed(extension, bytes.fromhex(data)) == text

    @pytest.mark.parametrize(
        ("width", "extension", "text"),
        [
            ("4", "h", "00 01 02 03"),
            ("4", "hC", "00:01:02:03"),
            ("4", "hD", "00-01-02-03"),
            ("4", "hN", "00010203"),
            ("16", "b", "0100"),
            ("40", "b", "04,03020100"),
            ("32", "bl", "8,17,24-25"),
        ],
    )
    def test_memory_by_width(self, width: str, extension: str, text: str) -> None:
        assert pointed(extension, bytes(range(8)), width) == text

    def test_a_width_of_no_bytes_shows_nothing(self) -> None:
        assert shown('"[%*ph]", 0, REC->a', "u8 a[2]:8:2:0", bytes(2)) == "[]"

    def test_escaped_text(self) -> None:
        assert pointed("E", b"a\n\0\xff", "4") == "a\\n\\0\\377"

    def test_letters_behind_an_extension_belong_to_it(self) -> None:
        assert shown('"%pMpmk_len", REC->a', "u8 a[6]:8:6:0", bytes(6)) == "00:00:00:00:00:00_len"

    def test_a_plain_pointer_is_hashed_by_the_kernel(self) -> None:
        data = struct.pack("<Q", 0xFFFF888100000000)
        fields = "void * a:8:8:0"
        assert shown('"%p", REC->a', fields, data) == "<0xffff888100000000>"
        assert doubts('"%p", REC->a', fields, data) == ["the kernel shows a hash of this pointer"]
        plain = Machine(pointers=Machine().plain_pointer)
        assert shown('"%p", REC->a', fields, data, plain) == "ffff888100000000"
        assert shown('"%px", REC->a', fields, data) == "ffff888100000000"

    def test_null_and_error_codes_are_no_addresses(self) -> None:
        data = struct.pack("<qq", 0, -2)
        fields = "void * a:8:8:0,void * b:16:8:0"
        assert shown('"%p %p %pe", REC->a, REC->b, REC->b', fields, data) == (
            "0000000000000000 fffffffffffffffe -ENOENT"
        )
        assert shown('"%pM", REC->a', fields, data) == "(null)"

    def test_memory_of_the_kernel_is_marked(self) -> None:
        data = struct.pack("<Q", 0xFFFF888100000000)
        assert shown('"%pM", REC->a', "void * a:8:8:0", data) == "<0xffff888100000000>"


class TestSymbols:
    SYMBOLS = SortedSymbols(
        [
            (0x1000, "_stext", ""),
            (0x1000, "alias", ""),
            (0x1100, "work", ""),
            (0x1200, "_etext", ""),
            (0x5000, "data", ""),
            (0x9000, "probe", "mod"),
            (0x9100, "end", "mod"),
        ]
    )

    @pytest.mark.parametrize(
        ("conversion", "address", "text"),
        [
            ("%pS", 0x1110, "work+0x10/0x100"),
            ("%ps", 0x1110, "work"),
            ("%pS", 0x1000, "_stext+0x0/0x100"),
            ("%pS", 0x9010, "probe+0x10/0x100 [mod]"),
            ("%ps", 0x9010, "probe [mod]"),
            ("%pSR", 0x1110, "work+0x10/0x100"),
            ("%pB", 0x1200, "work+0x100/0x100"),
            ("%pS", 0x1200, "0x1200"),
            ("%pS", 0x5001, "0x5001"),
            ("%ps", 0x10, "0x10"),
            ("%20ps|", 0x1110, "                work|"),
        ],
    )
    def test_symbol(self, conversion: str, address: int, text: str) -> None:
        data = struct.pack("<Q", address)
        machine = Machine(symbols=self.SYMBOLS)
        assert shown(f'"{conversion}", (void *)REC->a', "unsigned long a:8:8:0", data, machine) == text

    def test_without_symbols_an_address_is_marked(self) -> None:
        data = struct.pack("<Q", 0xFFFFFFFF81000000)
        assert shown('"%pS", REC->a', "void * a:8:8:0", data) == "<0xffffffff81000000>"

    def test_a_kernel_that_lists_its_data_has_symbols_up_to_its_end(self) -> None:
        symbols = SortedSymbols(
            [(0x1000, "_stext", ""), (0x1200, "_etext", ""), (0x5000, "data", ""), (0x6000, "_end", "")]
        )
        found = symbols.find(0x5001)
        assert found is not None
        assert found.name == "data"


class TestOwnOutput:
    FIELDS = "int __syscall_nr:8:4:1,int dfd:16:8:0,const char * pathname:24:8:0"

    def shown(self, name: str, fields: str, record: bytes, print_fmt: str = '"x"', **facts: bool) -> str:
        return render(event(print_fmt, fields, "syscalls", name), record, Machine(**facts))  # type: ignore[arg-type]

    def test_a_system_call(self) -> None:
        record = struct.pack("<8xi4xQQ", 263, 2**64 - 100, 9)
        assert self.shown("sys_enter_unlinkat", self.FIELDS, record) == (
            "sys_unlinkat(dfd: 0xffffffffffffff9c, pathname: 9)"
        )
        assert self.shown("sys_enter_unlinkat", self.FIELDS, record, syscall_hex=False) == (
            "sys_unlinkat(dfd: ffffffffffffff9c, pathname: 9)"
        )

    def test_a_system_call_with_text_from_the_user(self) -> None:
        fields = self.FIELDS + ",__data_loc char[] __pathname_val:32:4:0"
        record = struct.pack("<8xi4xQQI", 263, 3, 4096, 5 << 16 | 36) + b"file\0"
        assert self.shown("sys_enter_unlinkat", fields, record) == 'sys_unlinkat(dfd: 3, pathname: 0x1000 "file")'

    def test_a_system_call_with_bytes_from_the_user(self) -> None:
        fields = "int __syscall_nr:8:4:1,int fd:16:8:0,char * buf:24:8:0,size_t count:32:8:0"
        fields += ",__data_loc char[] __buf_val:40:4:0"
        record = struct.pack("<8xi4xQQQI", 1, 3, 4096, 5, 3 << 16 | 44) + b"hi\n"
        text = self.shown("sys_enter_write", fields, record, '"%s", __print_dynamic_array(__buf_val, 1)')
        assert text == 'sys_write(fd: 3, buf: 0x1000 (68:69:0a, ...) "hi."..., count: 5)'

    def test_the_flags_of_openat(self) -> None:
        fields = (
            "int __syscall_nr:8:4:1,int dfd:16:8:0,const char * filename:24:8:0,int flags:32:8:0,umode_t mode:40:8:0"
        )
        fmt = (
            '"%s", __print_flags(REC->flags, "|", { 0x1, "O_WRONLY" }, { 0x40, "O_CREAT" }, { 0x10000, "O_DIRECTORY" })'
        )

        def opened(flags: int) -> str:
            record = struct.pack("<8xi4xQQQQ", 257, 3, 4096, flags, 0o644)
            return self.shown("sys_enter_openat", fields, record, fmt)

        assert opened(0) == "sys_openat(dfd: 3, filename: 4096, flags: O_RDONLY)"
        assert opened(0x41) == "sys_openat(dfd: 3, filename: 4096, flags: O_WRONLY|O_CREAT, mode: 0644)"

    def test_the_return_of_a_system_call(self) -> None:
        fields = "int __syscall_nr:8:4:1,long ret:16:8:1"
        record = struct.pack("<8xi4xq", 263, -2)
        assert self.shown("sys_exit_unlinkat", fields, record) == "sys_unlinkat -> 0xfffffffffffffffe"

    def test_trace_printk(self) -> None:
        made = event(
            '"%ps: %s", (void *)REC->ip, REC->buf', "unsigned long ip:8:8:0,char buf[]:16:0:0", "ftrace", "print"
        )
        record = struct.pack("<8xQ", 0x1110) + b"hello\n\0"
        assert render(made, record, Machine(symbols=TestSymbols.SYMBOLS)) == "work: hello"


@pytest.mark.parametrize("cut", range(40))
def test_a_record_that_is_too_short_never_fails(cut: int) -> None:
    made = event(
        '"%d %s %s %pM %*ph %s", REC->a, REC->b, __get_str(c), REC->b, 8, REC->b, __print_array(REC->b, 8, 1)',
        "int a:8:4:1,char b[8]:12:8:0,__data_loc char[] c:20:4:0",
    )
    record = struct.pack("<8xi8sI", 1, b"abcdefgh", 5 << 16 | 24) + b"text\0"
    assert isinstance(render(made, record[:cut]), str)
