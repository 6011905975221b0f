"""``python -m tpkit``."""

from tpkit.cli.start import main

main()
