"""Sends the sample project's work to the broker named on the command line until it is stopped."""

import os
import sys
import threading

os.environ["BROKER_URL"] = os.environ["RESULT_URL"] = sys.argv[1]

from celeriac.demo.producer import produce

produce(threading.Event())
