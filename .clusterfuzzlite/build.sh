#!/bin/bash -eu
# Run by ClusterFuzzLite in the image of the Dockerfile beside this: the codec needs no BEAM.
python3 -m pip install .
for name in round_trip cutting; do
    compile_python_fuzzer "fuzz/codec_targets/$name.py"
done
