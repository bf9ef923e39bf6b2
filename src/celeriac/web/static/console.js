// The console's scripts: ages that tick, the stream, questions before orders, and what a redraw must not touch.
import { keepTicking } from "./ages.js";
import { askFirst } from "./ask.js";
import { keepWhatPeopleOpened } from "./keep.js";
import { followTheStream } from "./live.js";

keepWhatPeopleOpened();
askFirst();
keepTicking();
followTheStream();
