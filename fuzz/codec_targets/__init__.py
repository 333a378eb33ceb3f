"""Targets for libFuzzer that need no BEAM: our own codec, by what must hold of any bytes.

They run by themselves, ``python -m fuzz.codec_targets.round_trip -runs=2000``, and as the fuzzers
of a ClusterFuzzLite build: see ``.clusterfuzzlite``.
"""
