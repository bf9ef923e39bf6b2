// Asks before an order is given, in a dialog of the page's own.

/** Show each `hx-confirm` in the dialog, and go on only after a yes. */
export function askFirst() {
  const dialog = document.getElementById("ask");
  const text = document.getElementById("ask-text");
  const yes = document.getElementById("ask-yes");

  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    if (!ctx.confirm) return;
    event.preventDefault();
    text.textContent = ctx.confirm;
    yes.textContent = ctx.sourceElement.dataset.yes ?? "Yes";
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => (dialog.returnValue === "yes" ? issueRequest() : dropRequest()), { once: true });
    dialog.showModal();
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest(".notice")?.remove();
  });
}
