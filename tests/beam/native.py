"""What the emulator under the tests can count by itself, told apart by its release."""

from __future__ import annotations

import pytest

from fuzz.erlang import otp_release

#: The first release that has native coverage.
FIRST = 27

HAS_NATIVE = int(otp_release()) >= FIRST

needs_native = pytest.mark.skipif(
    not HAS_NATIVE, reason=f"OTP {otp_release()} has no native coverage; OTP {FIRST} has"
)
