// The server's clock, kept between its messages by a clock that nobody can set: the visitor's own does not matter.
let base = { server: Number(document.documentElement.dataset.now), here: performance.now() };

/** Set the clock by what the server has just said. */
export function set(server) {
  if (Number.isFinite(server)) base = { server, here: performance.now() };
}

/** Return the server's time now, in seconds since the epoch. */
export function now() {
  return base.server + (performance.now() - base.here) / 1000;
}
