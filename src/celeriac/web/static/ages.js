// Shows times as ages and lets them tick.
import { now } from "./clock.js";

/** Return an age in its two largest units. */
export function inWords(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole < 600 ? ` ${whole % 60} s` : ""}`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Return how old the time that an element shows is, in seconds. */
export function ageOf(element) {
  return now() - Number(element.dataset.at);
}

/** Write the age into one element. */
export function draw(element) {
  if (element.dataset.form === "clock") return;
  const words = inWords(ageOf(element));
  const text = element.dataset.form === "for" ? `for ${words}` : `${words} ago`;
  if (element.textContent !== text) element.textContent = text;
}

/** Write the age into every element below `root` that shows one. */
export function drawAll(root = document) {
  root.querySelectorAll("time[data-at]").forEach(draw);
}

/** Redraw all ages once a second. */
export function keepTicking() {
  drawAll();
  setInterval(drawAll, 1000);
}
