// Keeps the one stream open while the page is seen, and says when the page is no longer live.
import { ageOf, drawAll, inWords } from "./ages.js";
import * as clock from "./clock.js";

const BEAT_S = 15; // the server says something at least this often
const LOST_AFTER_S = 2.5 * BEAT_S;
const GRACE_S = 3; // a short reconnect is nothing to worry anybody with
const TRY_AGAIN_S = 5;

const page = document.documentElement;
const stream = document.getElementById("live");
const signText = document.getElementById("sign-text");
const staleLine = document.getElementById("stale");

let connected = false;
let heardAt = performance.now();
let openedAt = -Infinity;

const since = (moment) => (performance.now() - moment) / 1000;

/** Open the stream whenever the page is seen; htmx's extension closes it while the page is hidden. */
export function followTheStream() {
  const here = (name, then) => document.addEventListener(name, then);
  here("htmx:sse:after:connection", () => { connected = true; heard(); });
  here("htmx:sse:before:connection", lost);
  here("htmx:sse:error", lost);
  here("htmx:sse:close", lost);
  here("htmx:sse:before:message", (event) => heard(event.detail.message.data));
  here("htmx:after:request", forgetOldTrouble);
  here("htmx:after:swap", () => { drawAll(); showSign(); });
  here("visibilitychange", () => { heardAt = performance.now(); open(); });
  here("DOMContentLoaded", () => setTimeout(open));
  setInterval(watch, 1000);
}

function open() {
  if (document.hidden) return;
  openedAt = performance.now();
  window.htmx.trigger(stream, "open");
}

function heard(data) {
  connected = true;
  heardAt = performance.now();
  if (data) clock.set(JSON.parse(data).now);
  showSign();
}

function lost() {
  connected = false;
}

function watch() {
  // The extension connects again by itself, but not after a first attempt that failed.
  if (!connected && since(openedAt) > TRY_AGAIN_S) open();
  showSign();
}

function showSign() {
  if (document.hidden) return;
  const silent = since(heardAt);
  const old = markOldJudgements();
  if (silent > (connected ? LOST_AFTER_S : GRACE_S)) {
    say("lost", `Not live for ${inWords(silent)}`, "This page is not live: the console does not answer. Trying again.");
  } else if (!connected) {
    say("connecting", "Connecting", "");
  } else if (old.length) {
    say("old", "Old data", `What is shown of ${old.join(", ")} is old: the keeper has not judged it lately.`);
  } else {
    say("live", "Live", "");
  }
}

function say(state, word, sentence) {
  page.dataset.live = state;
  signText.textContent = word;
  staleLine.hidden = !sentence;
  if (staleLine.textContent !== sentence) staleLine.textContent = sentence;
}

function markOldJudgements() {
  const old = [];
  for (const element of document.querySelectorAll("[data-stale-after]")) {
    const isOld = ageOf(element.querySelector("time")) > Number(element.dataset.staleAfter);
    element.classList.toggle("old", isOld);
    if (isOld) old.push(element.closest("article").querySelector("h2").textContent);
  }
  return old;
}

function forgetOldTrouble(event) {
  const { ctx } = event.detail;
  if (ctx.sourceElement?.id !== "refresh" || ctx.response.status >= 400) return;
  document.querySelectorAll(".notice").forEach((notice) => Number(notice.dataset.status) >= 500 && notice.remove());
}
