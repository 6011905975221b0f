"""The only room that touches the running kernel's BPF: load, attach, drain, count, detach.

``Session`` runs a ``Program`` on a ``Runtime``: ``BccRuntime`` is the kernel, ``ReplayRuntime`` gives
back recorded bytes and is the seam for tests. BCC is imported here, lazily, and nowhere else.
"""
