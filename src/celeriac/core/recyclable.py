"""Which workers can be recycled: told to end by remote control, and started again by their platform."""

from celeriac.core.places import Site


def undrainable(site: Site | None) -> str | None:
    """Return why this worker cannot be seen to have ended all it has, or None if it can."""
    if site is None or site.instance is None or site.instance.guid is None or site.incarnation is None:
        return "no platform instance is known for this node"
    if site.neighbours:
        return f"it shares its container with {', '.join(one.node for one in site.neighbours)}"
    if site.twins:
        return f"{site.twins + 1} processes use the node name {site.incarnation.node}"
    if not site.incarnation.beats:
        return "it sends no heartbeats, so that it cannot be seen when it is idle"
    return None


def unfit(site: Site | None) -> str | None:
    """Return why this worker cannot be recycled, or None if it can."""
    no = undrainable(site)
    if no is None and (site is None or site.app is None or not site.app.restarts_ended):
        return "it is not known that its platform starts again what has ended with exit code 0"
    return no
