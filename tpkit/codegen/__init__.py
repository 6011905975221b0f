"""From what is wanted (``ProbeSpec``) to programs: pure, the same text on every machine.

Code computes names and types; the templates (``templates/<target>/``) hold the text. Nothing reaches
a template but identifiers that ``names`` made and numbers.
"""
