"""Starts a worker as `celery` does; with FAULTS_SKEW its clock is off by so many seconds, from before Celery is imported."""

import os
import time

if os.environ.get("FAULTS_SKEW"):
    _honest, _skew = time.time, float(os.environ["FAULTS_SKEW"])
    time.time = lambda: _honest() + _skew

if __name__ == "__main__":
    from celery.__main__ import main

    main()
