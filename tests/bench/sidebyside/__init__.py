"""dockyard beside real competitors, in one run: the same Dockerfiles, contexts and outputs, medians and ratios.

    .venv/bin/python -m sidebyside --help        (with tests/bench on PYTHONPATH; `make bench` does that)

Absolute times of a machine move by a factor of two from hour to hour, so only ratios within one run mean much.
"""
