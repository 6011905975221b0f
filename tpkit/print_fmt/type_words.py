"""Which words name types: C's keywords, the kernel's typedefs, and a guess for the rest.

C needs a symbol table to tell ``(name) * x`` from ``(name) *x``; a format file has none. The typedefs
that tracepoints use are known here (``include/linux/types.h``, ``include/uapi/asm-generic/``), with
their sizes, and a name in a place where only a type makes sense is taken for one.
"""

from __future__ import annotations

from collections.abc import Sequence

from tpkit.print_fmt.tokens import CHARACTER, FIELD, NAME, NUMBER, TEXT, Token

QUALIFIERS = frozenset(
    "const volatile restrict __restrict __restrict__ register static extern inline __inline "
    "__user __kernel __iomem __percpu __rcu __force __nocast __bitwise __private".split()
)
TAGS = frozenset(("struct", "union", "enum"))
TYPEOFS = frozenset(("typeof", "__typeof__", "__typeof", "typeof_unqual", "__typeof_unqual__"))
ARITHMETIC = frozenset(
    "void char short int long signed unsigned __signed__ float double _Bool bool __int128 __auto_type auto".split()
)
ALIGNED = frozenset(("__attribute__", "__attribute", "__aligned", "_Alignas", "__packed"))
KEYWORDS = QUALIFIERS | TAGS | TYPEOFS | ARITHMETIC

LONG = 0  # a size of 0 stands for the size of a long

# name: (bytes, signed)
TYPEDEFS: dict[str, tuple[int, bool]] = {
    "u8": (1, False), "u16": (2, False), "u32": (4, False), "u64": (8, False),
    "s8": (1, True), "s16": (2, True), "s32": (4, True), "s64": (8, True),
    "__u8": (1, False), "__u16": (2, False), "__u32": (4, False), "__u64": (8, False),
    "__s8": (1, True), "__s16": (2, True), "__s32": (4, True), "__s64": (8, True),
    "uint8_t": (1, False), "uint16_t": (2, False), "uint32_t": (4, False), "uint64_t": (8, False),
    "int8_t": (1, True), "int16_t": (2, True), "int32_t": (4, True), "int64_t": (8, True),
    "__be16": (2, False), "__be32": (4, False), "__be64": (8, False), "__sum16": (2, False),
    "__le16": (2, False), "__le32": (4, False), "__le64": (8, False), "__wsum": (4, False),
    "uint": (4, False), "ulong": (LONG, False), "ushort": (2, False), "uchar": (1, False),
    "u_int": (4, False), "u_long": (LONG, False), "u_short": (2, False), "u_char": (1, False),
    "size_t": (LONG, False), "ssize_t": (LONG, True), "uintptr_t": (LONG, False),
    "intptr_t": (LONG, True), "ptrdiff_t": (LONG, True), "__kernel_size_t": (LONG, False),
    "__kernel_ulong_t": (LONG, False), "__kernel_long_t": (LONG, True), "off_t": (LONG, True),
    "loff_t": (8, True), "__kernel_loff_t": (8, True), "sector_t": (8, False), "blkcnt_t": (8, False),
    "pgoff_t": (LONG, False), "ino_t": (LONG, False), "dev_t": (4, False), "__kernel_dev_t": (4, False),
    "mode_t": (2, False), "umode_t": (2, False), "gfp_t": (4, False), "fmode_t": (4, False),
    "slab_flags_t": (4, False), "vm_fault_t": (4, False), "isolate_mode_t": (4, False),
    "pid_t": (4, True), "__kernel_pid_t": (4, True), "uid_t": (4, False), "gid_t": (4, False),
    "qid_t": (4, False), "projid_t": (4, False), "key_t": (4, True), "key_serial_t": (4, True),
    "timer_t": (4, True), "clockid_t": (4, True), "clock_t": (LONG, True), "time_t": (LONG, True),
    "time64_t": (8, True), "ktime_t": (8, True), "nfds_t": (4, False), "mqd_t": (4, True),
    "phys_addr_t": (8, False), "resource_size_t": (8, False), "dma_addr_t": (8, False),
    "blk_status_t": (1, False), "blk_opf_t": (4, False), "blk_mq_req_flags_t": (4, False),
    "netdev_features_t": (8, False), "netmem_ref": (LONG, False), "gpa_t": (8, False),
    "gfn_t": (8, False), "hpa_t": (8, False), "hfn_t": (8, False), "kvm_pfn_t": (8, False),
    "gva_t": (LONG, False), "pteval_t": (LONG, False), "pmdval_t": (LONG, False),
    "pudval_t": (LONG, False), "p4dval_t": (LONG, False), "pgdval_t": (LONG, False),
    "ext4_lblk_t": (4, False), "ext4_fsblk_t": (8, False), "ext4_group_t": (4, False),
    "tid_t": (4, False), "xfs_ino_t": (8, False), "xfs_off_t": (8, True), "xfs_agnumber_t": (4, False),
    "xfs_agblock_t": (4, False), "xfs_daddr_t": (8, True), "xfs_fsblock_t": (8, False),
    "xfs_lsn_t": (8, True), "xfs_extlen_t": (4, False), "xfs_fileoff_t": (8, False),
    "block_t": (4, False), "nid_t": (4, False), "OM_uint32": (4, False), "irq_hw_number_t": (LONG, False),
    "__kernel_rwf_t": (4, True), "rwf_t": (4, True), "swp_entry_t": (LONG, False),
    "acct_t": (4, False), "kuid_t": (4, False), "kgid_t": (4, False), "kprojid_t": (4, False),
    "cputime_t": (LONG, False), "nodemask_t": (LONG, False), "bool": (1, False), "_Bool": (1, False),
}  # fmt: skip

_OPERAND_KINDS = frozenset((NAME, FIELD, NUMBER, TEXT, CHARACTER))
_OPERAND_SIGNS = frozenset(("(", "~", "!", "{"))
_EITHER_SIGNS = frozenset(("&", "*", "+", "-"))  # prefix or infix


def is_known(name: str) -> bool:
    """A word that can only be a type, or is one by the kernel's habit."""
    return name in KEYWORDS or name in TYPEDEFS or (name.endswith("_t") and len(name) > 2)


def type_follows(tokens: Sequence[Token], at: int) -> bool:
    """Whether the tokens from ``at``, just behind a '(', are surely or likely a type up to a ')'."""
    first = tokens[at]
    if first.kind != NAME or first.text == "REC":
        return False
    if first.text in KEYWORDS:
        return True
    behind = at + 1
    while tokens[behind].text == "*" or tokens[behind].text in QUALIFIERS:
        behind += 1
    if tokens[behind].text != ")":
        return tokens[behind].text == "(" and is_known(first.text) and tokens[behind + 1].text == "*"
    return behind > at + 1 or is_known(first.text) or _operand_follows(tokens[behind + 1], first.text)


def cast_follows(tokens: Sequence[Token], at: int) -> bool:
    """Whether the tokens from ``at``, just behind a '(', are a type, and what follows can be cast."""
    if not type_follows(tokens, at):
        return False
    first, closing, operand = tokens[at].text, tokens[at + 1], tokens[min(at + 2, len(tokens) - 1)]
    if first in KEYWORDS or closing.text != ")":
        return True
    return operand.kind in _OPERAND_KINDS or operand.text in _OPERAND_SIGNS or operand.text in _EITHER_SIGNS


def _operand_follows(token: Token, name: str) -> bool:
    """Whether ``(name)`` before this token must be a cast; an unknown name in capitals is a macro."""
    if token.kind in _OPERAND_KINDS:
        return True
    return token.text in _OPERAND_SIGNS and not (token.text == "(" and name.isupper())
