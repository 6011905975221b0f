"""What tpkit needs of this machine, and whether it is there: facts are gathered, then judged.

Looking (``facts``, ``kernel_calls``) is kept apart from judging (``checks``), which is a pure function: the
facts of any machine can be judged on any other.
"""

from tpkit.doctor.checks import Check, Report, Status, examine
from tpkit.doctor.facts import Facts, gather

__all__ = ["Check", "Facts", "Report", "Status", "examine", "gather"]
