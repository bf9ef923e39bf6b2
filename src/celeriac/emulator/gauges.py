"""Gauges: what each instance uses and may use, told to the log cache every 15 s as the platform's cells do."""

import threading
import time

from celeriac.emulator.cloud_controller import CloudController
from celeriac.emulator.entities import Process
from celeriac.emulator.logcache import AppLog, LogCache, Metric
from celeriac.emulator.lrp import ActualLrp, LrpState
from celeriac.emulator.usage import Meter, Usage

EVERY_SECONDS = 15.0
_MIB = 1024 * 1024


class Gauges:
    """Measures the instances that run and are wanted; the seconds between two reports are real ones."""

    def __init__(self, controller: CloudController, logs: LogCache, meter: Meter) -> None:
        self._controller, self._logs, self._meter = controller, logs, meter
        self._closing = threading.Event()

    def report(self) -> None:
        """Tell of every instance once."""
        for workload in self._controller.workloads():
            seen = self._controller.observe(workload.process)
            for index, slot in seen.slots.items():
                if seen.desired and slot.state is LrpState.RUNNING:
                    log = AppLog(self._logs, workload, index=index, instance_guid=slot.instance_guid)
                    log.gauge(_metrics(seen.process, slot, self._meter.read(slot.pid)))

    def run(self) -> None:
        """Report every 15 s until `close`."""
        while not self._closing.wait(EVERY_SECONDS):
            self.report()

    def close(self) -> None:
        """Stop reporting."""
        self._closing.set()


def _metrics(process: Process, slot: ActualLrp, usage: Usage) -> dict[str, Metric]:
    """Return unit and value by name; the share of a core is in percent here, while stats have a fraction."""
    return {
        "cpu": ("percentage", 100 * usage.cpu),
        "cpu_entitlement": ("percentage", 100 * usage.cpu),
        "memory": ("bytes", usage.mem),
        "memory_quota": ("bytes", process.memory_mb * _MIB),
        "disk": ("bytes", 0),
        "disk_quota": ("bytes", process.disk_mb * _MIB),
        "log_rate": ("B/s", 0),
        "log_rate_limit": ("B/s", process.log_bytes_per_second),
        "container_age": ("nanoseconds", int(1e9 * (time.monotonic() - slot.since))),
    }
