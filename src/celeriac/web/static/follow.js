// Follows an app's log while its switch is on and the page is seen, and keeps what is shown bounded.
const MOST_LINES = 2000;
const FIRST_PAUSE_S = 1;
const LONGEST_PAUSE_S = 30;
const MAY_HELP_LATER = 503;
const NEAR_THE_END = 24; // pixels

const TONES = { WARNING: "tone-warn", ERROR: "tone-bad", CRITICAL: "tone-bad" };

const filter = document.getElementById("log-filter");
const follow = document.getElementById("follow");
const says = document.getElementById("log-says");
const lines = document.getElementById("lines");

let reading = null; // what ends the reading that is under way

follow.addEventListener("change", restart);
document.addEventListener("visibilitychange", restart);
document.addEventListener("htmx:after:swap", shown);
document.addEventListener("click", (event) => {
  const again = event.target.closest("[data-again]");
  if (again) window.htmx.trigger(again.dataset.again, "again");
});

/** After other lines were read: show the newest, and go on from there. */
function shown() {
  const list = lines.querySelector("ol");
  if (!list || list.dataset.shown) return;
  list.dataset.shown = "yes";
  list.scrollTop = list.scrollHeight;
  restart();
}

function restart() {
  reading?.abort();
  reading = null;
  say("");
  if (!follow.checked || document.hidden) return;
  reading = new AbortController();
  read(reading.signal);
}

/** Read one stream after the other, until told to end; pauses grow while none brings anything. */
async function read(signal) {
  let pause = FIRST_PAUSE_S;
  while (!signal.aborted) {
    let why = "The console does not answer.";
    try {
      const answer = await fetch(address(), { signal, headers: { Accept: "text/event-stream" } });
      if (answer.ok) {
        say("");
        for await (const event of eventsOf(answer.body)) {
          if (signal.aborted) return;
          pause = FIRST_PAUSE_S;
          if (event.name === "end") return stop(event.data.why ?? "The platform tells no more.");
          take(event);
        }
      } else {
        why = (await answer.json()).detail;
        if (answer.status !== MAY_HELP_LATER) return stop(why);
      }
    } catch {
      // told below, unless it was we who ended it
    }
    if (signal.aborted) return;
    say(`${why} Trying again.`);
    await new Promise((then) => setTimeout(then, pause * 1000));
    pause = Math.min(2 * pause, LONGEST_PAUSE_S);
  }
}

function address() {
  const asked = new URLSearchParams([...new FormData(filter)].filter(([, value]) => value));
  const since = lines.querySelector("ol")?.dataset.since;
  if (since) asked.set("since", since);
  return `${follow.dataset.stream}?${asked}`;
}

/** Yield the events of a stream: `name`, `id` and the data, decoded. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const fields = Object.fromEntries(part.split("\n").map((row) => row.split(/: (.*)/s)));
      if (fields.event) yield { name: fields.event, id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}

function take({ name, id, data }) {
  if (name === "trouble") return say(`${data.why} Trying again.`);
  if (name === "dropped") return append(note(`${data.count} lines are left out here: they came faster than they were read.`));
  say("");
  append(line(data));
  lines.querySelector("ol").dataset.since = id;
}

function line({ at, source, index, stream, level, text }) {
  const item = document.createElement("li");
  item.className = TONES[level] ?? "";
  const time = item.appendChild(document.createElement("time"));
  time.className = "dim";
  time.dateTime = at;
  time.title = `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
  time.textContent = at.slice(11, 19);
  const from = document.createElement("span");
  from.className = "dim";
  from.textContent = `[${index === null ? source : `${source}/${index}`}] ${stream}`;
  const words = document.createElement("span");
  words.className = "text";
  words.textContent = text;
  item.append(" ", from, " ", words);
  return item;
}

function note(text) {
  const item = document.createElement("li");
  item.className = "tone-warn";
  item.textContent = text;
  return item;
}

function append(item) {
  const list = lines.querySelector("ol");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_THE_END;
  lines.querySelector(".empty")?.remove();
  list.append(item);
  while (list.childElementCount > MOST_LINES) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight; // who reads further up is left there
}

function stop(why) {
  follow.checked = false;
  reading = null;
  say(why);
}

function say(text) {
  says.hidden = !text;
  if (says.textContent !== text) says.textContent = text;
}
