"""tpkit: find, understand and trace Linux kernel tracepoints."""

__version__ = "0.1.0"
