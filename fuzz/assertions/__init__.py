"""What somebody asserts of their server's own metrics, held true while it is fuzzed.

``expression`` knows what such a sentence says, ``page`` reads a page of metrics, ``vitals`` has
what the agents tell, ``tally`` turns both into increases and values, and ``keeper`` looks again
and again, and makes a finding of a sentence that does not hold.
"""

from fuzz.assertions.expression import Assertion, parse_assertion
from fuzz.assertions.keeper import Keeper
from fuzz.assertions.page import Source, source_of
from fuzz.assertions.vitals import VITALS

__all__ = ["VITALS", "Assertion", "Keeper", "Source", "parse_assertion", "source_of"]
