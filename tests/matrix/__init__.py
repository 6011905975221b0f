"""``make matrix``: tpkit on many kernels, each booted in a virtual machine on this machine's own root.

    python -m tests.matrix                  all kernels of kernels.toml, and the running one
    python -m tests.matrix --kernel 7.2     one

``checks`` holds what is looked at, a column of the table each; ``guest`` runs the checks on the kernel it
finds itself on; ``packages`` and ``images`` get what the machines need; ``machine`` boots one; ``report``
gathers, prints and decides.
"""
