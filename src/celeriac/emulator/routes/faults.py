"""The control of the faults, which no Cloud Foundry has; it needs no token."""

from typing import Any

from fastapi import APIRouter

from celeriac.emulator.access import Here, JsonBody
from celeriac.emulator.errors import unprocessable
from celeriac.emulator.faults import read_faults
from celeriac.emulator.foundation import Foundation
from celeriac.emulator.tables import EmulatorConfigError, Table

router = APIRouter(prefix="/emulator/faults")


@router.get("")
def show_faults(here: Here) -> dict[str, Any]:
    """Show the faults in force."""
    return _shown(here)


@router.put("")
def put_faults(here: Here, body: JsonBody) -> dict[str, Any]:
    """Let the given faults be in force from now on, and no others."""
    table = Table(body)
    try:
        faults = read_faults(table)
        table.close()
    except EmulatorConfigError as error:
        raise unprocessable(str(error)) from error
    here.faults.put(*faults)
    return _shown(here)


@router.delete("")
def end_faults(here: Here) -> dict[str, Any]:
    """End all faults."""
    here.faults.clear()
    return _shown(here)


def _shown(here: Foundation) -> dict[str, Any]:
    return {"faults": here.faults.described()}
