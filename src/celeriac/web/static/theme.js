// Sets the chosen colours before the page is painted, so it runs as a plain script in the head.
(() => {
  const KEY = "celeriac-theme";
  const NAMES = ["system", "light", "dark"];

  const stored = () => {
    try {
      const name = localStorage.getItem(KEY);
      return NAMES.includes(name) ? name : "system";
    } catch {
      return "system"; // storage is forbidden: follow the system
    }
  };

  const show = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    const label = document.getElementById("theme-name");
    if (label) label.textContent = name[0].toUpperCase() + name.slice(1);
  };

  let current = stored();
  show(current);

  document.addEventListener("DOMContentLoaded", () => {
    show(current);
    document.getElementById("theme")?.addEventListener("click", () => {
      current = NAMES[(NAMES.indexOf(current) + 1) % NAMES.length];
      try {
        localStorage.setItem(KEY, current);
      } catch {
        // it then holds for this page alone
      }
      show(current);
    });
  });
})();
