"""The parts of tools/syscall-tables."""
