"""Filters: which events are wanted, as a text that the kernel is made to answer.

``grammar`` reads the text into a tree whose nodes know their place (``tree``); ``check`` holds it against
one event's fields (``names``) and gives conditions without names or doubts (``conditions``, ``pattern``).
What these become in C is codegen's business. All of it is pure.

    filter    := [ event ':' ] or
    or        := and { '||' and }
    and       := not { '&&' not }
    not       := { '!' } comparison
    comparison := bits [ ( '==' | '!=' | '<' | '<=' | '>' | '>=' | '~' | '!~' ) bits ]
    bits      := mask { '|' mask }
    mask      := sign { '&' sign }
    sign      := { '-' } operand
    operand   := number | string | name | '(' or ')'

Unlike in C, ``&`` and ``|`` bind tighter than comparisons, and ``!`` negates the comparison behind it.
"""
