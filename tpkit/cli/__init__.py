"""The command line: arguments in, a library call, a sink out. One file for each command."""
