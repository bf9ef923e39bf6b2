// What a redraw must not touch: which details are open, and ages that have not changed.
import { draw } from "./ages.js";

/** Teach htmx's morphing the two exceptions. */
export function keepWhatPeopleOpened() {
  window.htmx.registerExtension("keep", {
    htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.tagName === "DETAILS"),
    htmx_before_morph_node: (element, { newNode }) => {
      if (element.tagName !== "TIME" || !newNode.dataset?.at) return true;
      for (const { name, value } of newNode.attributes) {
        if (element.getAttribute(name) !== value) element.setAttribute(name, value);
      }
      draw(element);
      return false;
    },
  });
}
