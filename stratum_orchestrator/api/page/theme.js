// Light, dark, or as the system has it.

const KEPT = "stratum-theme";
const NEXT = { system: "light", light: "dark", dark: "system" };

function wear(theme, button) {
  document.documentElement.dataset.theme = theme;
  button.textContent = { system: "◑", light: "☀", dark: "☾" }[theme];
  button.setAttribute("aria-label", `Colors: ${theme}`);
}

export function bindTheme(button) {
  let theme = localStorage.getItem(KEPT) ?? "system";
  if (!(theme in NEXT)) theme = "system";
  wear(theme, button);
  button.addEventListener("click", () => {
    theme = NEXT[theme];
    localStorage.setItem(KEPT, theme);
    wear(theme, button);
  });
}
