"""``make matrix``: tpkit on many kernels, each booted in a virtual machine on this machine's own root.

    python -m tests.matrix                      all rows of kernels.toml, and the running kernel
    python -m tests.matrix --kernel 7.2         one kernel
    python -m tests.matrix --kernel live+sid    another userspace on the running kernel

``checks`` holds what is looked at, a column of the table each; ``guest`` runs the checks on the kernel it
finds itself on; ``packages`` and ``images`` get what the machines need; ``machine`` boots one, ``roots`` makes
another Debian's root; ``rows`` runs all of them and gathers, ``table`` shows it; ``ending`` ends programs.
"""
