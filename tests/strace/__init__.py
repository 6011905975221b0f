"""strace as the oracle for the words of system calls' arguments: its lines, what they mean, how ours compare.

``lines`` takes accounts apart, ``meaning`` says whether two texts mean the same, ``compare`` counts; ``calls`` is
a workload, ``caller`` the program that makes it.
"""
