// The control bar: native elements, so that keyboard and screen readers work as everywhere else.
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function words(iso) {
  if (!iso) return "";
  const [year, month, day] = iso.split("-").map(Number);
  return `${day} ${MONTHS[month - 1]} ${year}`;
}

function render({ model, el }) {
  document.documentElement.lang = "en";
  document.querySelector("meta[name=viewport]")?.setAttribute("content", "width=device-width, initial-scale=1");
  const send = (message) => model.send(message);
  const scenario = element("select", { id: "ot-scenario" });
  const seed = element("input", { id: "ot-seed", type: "text", inputmode: "numeric", autocomplete: "off" });
  const build = () => send({ do: "open", scenario: scenario.value, seed: seed.value.trim() });
  seed.addEventListener("keydown", (event) => { if (event.key === "Enter") build(); });
  const play = element("button", { type: "button", class: "ot-play", onclick: () => toggle() });
  const one = element("button", { type: "button", onclick: () => send({ do: "step", weeks: 1 }) }, "+1 week");
  const quarter = element("button", { type: "button", onclick: () => send({ do: "step", weeks: 13 }) }, "+13 weeks");
  const again = element("button", { type: "button", onclick: () => send({ do: "restart" }), title: "The same world from its first week" }, "Start over");
  const speed = element("select", { id: "ot-speed", onchange: () => send({ do: "speed", weeks: Number(speed.value) }) });
  const date = element("b", { "data-date": "" }), weeks = element("span");
  const spoken = element("span", { class: "ot-sr", role: "status", "aria-live": "polite" });
  el.replaceChildren(element("div", { class: "ot-controls" },
    element("fieldset", { class: "ot-setup" }, element("legend", { class: "ot-sr" }, "World"),
      element("label", { for: "ot-scenario" }, "Scenario", scenario),
      element("label", { for: "ot-seed" }, "Seed", seed),
      element("button", { type: "button", onclick: build, title: "Build this world and play its first half year" }, "Build"), again),
    element("div", { class: "ot-transport" },
      element("fieldset", {}, element("legend", { class: "ot-sr" }, "Time"), play, one, quarter,
        element("label", { for: "ot-speed", class: "ot-speed" }, element("span", {}, "Speed"), speed)),
      element("div", { class: "ot-when" }, date, weeks)),
    spoken));

  let state = {};
  const toggle = () => send({ do: state.state === "playing" ? "pause" : "play" });
  const known = (list) => list.map((row) => row.join("\u0001")).join("\u0002");

  function options(select, rows, value) {
    if (select.dataset.rows !== known(rows)) {
      select.dataset.rows = known(rows);
      select.replaceChildren(...rows.map(([code, name]) => element("option", { value: code }, name)));
    }
    if (document.activeElement !== select || select.dataset.value !== String(value)) {
      select.value = String(value);
      select.dataset.value = String(value);
    }
  }

  function update() {
    const before = state;
    state = model.get("state");
    options(scenario, state.scenarios, state.scenario);
    options(speed, state.speeds.map((s) => [String(s), `${s} ${s === 1 ? "week" : "weeks"}/s`]), state.speed);
    if (before.seed !== state.seed && document.activeElement !== seed) seed.value = state.seed;
    const dead = state.state === "building" || state.state === "failed", over = state.state === "finished";
    for (const button of [play, one, quarter]) button.disabled = dead || over;
    again.disabled = state.state === "building";
    speed.disabled = dead;
    play.textContent = state.state === "playing" ? "\u275A\u275A Pause" : "\u25B6 Play";
    play.setAttribute("aria-label", state.state === "playing" ? "Pause" : "Play");
    date.textContent = state.date ? words(state.date) : "\u2013";
    date.dataset.date = state.date || "";
    const said = { building: "building the world\u2026", failed: "no world", finished: "the scenario has ended" }[state.state];
    weeks.textContent = said ?? `week ${state.week} of ${state.weeks_total}`;
    if (state.state !== "playing" && state.state !== "stepping") {
      const text = `${date.textContent}, ${weeks.textContent}`;
      if (spoken.textContent !== text) spoken.textContent = text;
    }
    document.body.dataset.state = state.state;
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, select, textarea, button, summary, a, [tabindex]")) return;
    if (event.key === " ") { if (!play.disabled) toggle(); }
    else if (event.key === "ArrowRight") { if (!one.disabled) send({ do: "step", weeks: event.shiftKey ? 13 : 1 }); }
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", key);
  model.on("change:state", update);
  update();
  return () => { document.removeEventListener("keydown", key); model.off("change:state", update); };
}

export default { render };
