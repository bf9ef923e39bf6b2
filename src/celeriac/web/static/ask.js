// Asks before an order is given, in a dialog of the page's own.

/** Put what is chosen in an order's form into its question: a field's value, and how many are wanted of a process now. */
function filled(question, form) {
  const chosen = form.elements?.process;
  if (!chosen) return question;
  const told = { process: chosen.value, wanted: chosen.selectedOptions[0].dataset.wanted, instances: form.elements.instances.value };
  return question.replace(/\{(process|wanted|instances)\}/g, (_, name) => told[name]);
}

/** Show each `hx-confirm` in the dialog, and go on only after a yes. */
export function askFirst() {
  const dialog = document.getElementById("ask");
  const text = document.getElementById("ask-text");
  const yes = document.getElementById("ask-yes");

  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    if (!ctx.confirm) return;
    event.preventDefault();
    text.textContent = filled(ctx.confirm, ctx.sourceElement);
    yes.textContent = ctx.sourceElement.dataset.yes ?? "Yes";
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => (dialog.returnValue === "yes" ? issueRequest() : dropRequest()), { once: true });
    dialog.showModal();
  });

  document.addEventListener("change", (event) => {
    const { name, form, selectedOptions } = event.target;
    if (name === "process" && form?.elements.instances) form.elements.instances.value = selectedOptions[0].dataset.wanted;
  });

  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest(".notice")?.remove();
  });
}
