"""The player of a reproducer: standard library only, and no part of iris-fuzz.

:mod:`fuzz.report.reproducer` puts the sources of these modules one behind the other, into the
one file that it writes, and :mod:`fuzz.recipes` before them. So they import nothing but the
standard library and names of one another, and no two of them use one name for two things.
"""
