"""From raw records to columns, and from values to words: flags, errno, strings made safe to show.

Works on whole batches; does no input or output.
"""
