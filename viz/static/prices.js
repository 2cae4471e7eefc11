// The price chart.  The browser holds the history; the server sends only new weeks, as float32 columns.
const DAY = 86400, WEEK = 7 * DAY;
let library;

function root() {
  return location.origin + (window.solara?.rootPath ?? "");
}

// a dynamic import of an absolute address: this module itself is loaded from a blob
function uplot() {
  library ??= import(`${root()}/_solara/cdn/uplot@1.6.32/dist/uPlot.esm.js`).then((m) => m.default);
  if (!document.getElementById("ot-uplot-css")) {
    const link = document.createElement("link");
    Object.assign(link, { id: "ot-uplot-css", rel: "stylesheet", href: `${root()}/_solara/cdn/uplot@1.6.32/dist/uPlot.min.css` });
    document.head.append(link);
  }
  return library;
}

const money = (v) => v == null || Number.isNaN(v) ? "\u2013" : v >= 1000 ? Math.round(v).toLocaleString("en") : v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
const signed = (percent) => Math.abs(percent) < 0.5 ? "0%" : `${percent > 0 ? "+" : "\u2212"}${Math.abs(percent).toFixed(0)}%`;
const dayName = (t) => new Date(t * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

function dates(u, ticks, axis, space, step) {
  let year = null;
  return ticks.map((t) => {
    const day = new Date(t * 1000), now = day.getUTCFullYear(), fresh = now !== year;
    year = now;
    if (step >= 365 * DAY) return `${now}`;
    const month = day.toLocaleDateString("en-GB", { month: "short", timeZone: "UTC" });
    return (step >= 28 * DAY ? month : `${day.getUTCDate()} ${month}`) + (fresh ? `\n${now}` : "");
  });
}

function tag(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const look = model.get("look");
  let series = [], columns = [], weeks = 0, start = 0, plot = null, Plot = null, drawn = "", pending = 0, gone = false;
  let wished = look.goods.slice(), goods = wished, kinds = new Set(look.kinds), log = false;

  const title = tag("h2", {}, "Prices");
  const picked = tag("span"), menu = tag("div", { role: "group", "aria-label": "Goods to show, at most four" });
  const details = tag("details", { class: "ot-goods" }, tag("summary", {}, tag("span", { class: "ot-sr" }, "Choose goods, shown: "), picked), menu);
  const kindBox = tag("fieldset", { class: "ot-kinds" }, tag("legend", { class: "ot-sr" }, "Kinds of price"));
  const logBox = tag("input", { type: "checkbox", onchange: () => { log = logBox.checked; redraw(true); } });
  const box = tag("div", { class: "ot-plot", tabindex: "0", role: "img", "aria-label": "Price chart, no weeks played yet" });
  const empty = tag("p", { class: "ot-empty" }, "No week has been played yet. Press Play or +1 week.");
  const spoken = tag("span", { class: "ot-sr", "aria-live": "polite" });
  const rows = tag("tbody");
  const table = tag("table", { class: "ot-lines" }, tag("caption", { class: "ot-sr" }, "Prices of the lines shown, USD per kg ex VAT"),
    tag("thead", {}, tag("tr", {}, tag("th", { scope: "col" }, "Line"), tag("th", { scope: "col", class: "n" }, "USD/kg ex VAT"), tag("th", { scope: "col", class: "n" }, "13 weeks"))), rows);
  el.replaceChildren(
    tag("div", { class: "ot-prices-head" }, title, kindBox, tag("label", { class: "ot-check" }, logBox, "log scale"), details), box, empty, tag("div", { class: "ot-lines-box", tabindex: "0", role: "region", "aria-label": "Prices of the lines shown" }, table), spoken);

  details.addEventListener("keydown", (event) => { if (event.key === "Escape" && details.open) { details.open = false; details.querySelector("summary").focus(); event.stopPropagation(); } });
  const outside = (event) => { if (details.open && !details.contains(event.target)) details.open = false; };
  document.addEventListener("pointerdown", outside);

  function choices() {
    const known = [...new Map(series.map((s) => [s.good, s.goodName]))];
    const there = known.map(([code]) => code);
    goods = wished.filter((g) => there.includes(g));
    if (!goods.length && there.length) goods = [there.includes("ndpr_oxide") ? "ndpr_oxide" : there[0]];
    menu.replaceChildren(...known.map(([code, name]) => tag("label", { class: "ot-check" }, tag("input", {
      type: "checkbox", value: code, checked: goods.includes(code), onchange: (event) => {
        if (event.target.checked) goods = [...goods, code]; else goods = goods.filter((g) => g !== code);
        goods = goods.slice(-4);
        if (!goods.length) goods = [code];
        wished = goods;
        for (const input of menu.querySelectorAll("input")) input.checked = goods.includes(input.value);
        redraw(true);
      } }), name)));
    const offered = new Set(series.map((s) => s.kind));
    const names = new Map(series.map((s) => [s.kind, s.kindName]));
    kindBox.replaceChildren(kindBox.firstChild, ...look.order.filter((k) => offered.has(k)).map((kind) => tag("label", { class: "ot-check" },
      tag("input", { type: "checkbox", value: kind, checked: kinds.has(kind), onchange: (event) => { event.target.checked ? kinds.add(kind) : kinds.delete(kind); redraw(true); } }),
      names.get(kind))));
  }

  const chosen = () => series.map((s, i) => ({ ...s, i })).filter((s) => goods.includes(s.good) && kinds.has(s.kind));
  const colour = (s) => goods.length === 1 ? look.kindColours[s.kind] : look.goodColours[goods.indexOf(s.good) % look.goodColours.length];
  const phone = () => el.clientWidth < 560;

  function name(s) {
    const kind = s.kind === "ask" ? s.kindName : `${s.kindName}, ${s.placeName}`;
    return goods.length === 1 ? kind[0].toUpperCase() + kind.slice(1) : `${s.goodName}, ${kind}`;
  }

  function ends(u) {
    // direct labels at the ends of the lines, pushed apart
    if (phone()) return;
    const scale = devicePixelRatio, ctx = u.ctx, gap = 14 * scale;
    const marks = [];
    u.series.forEach((s, i) => {
      if (!i) return;
      const values = u.data[i];
      for (let k = values.length - 1; k >= 0; k--) if (values[k] != null) {
        marks.push({ y: u.valToPos(values[k], "y", true), text: s.short, colour: s.stroke() ?? "#000" });
        break;
      }
    });
    marks.sort((a, b) => a.y - b.y);
    for (let k = 1; k < marks.length; k++) marks[k].y = Math.max(marks[k].y, marks[k - 1].y + gap);
    const over = marks.length ? marks[marks.length - 1].y - (u.bbox.top + u.bbox.height) : 0;
    if (over > 0) for (let k = marks.length - 1; k >= 0; k--) marks[k].y = Math.min(marks[k].y, u.bbox.top + u.bbox.height - (marks.length - 1 - k) * gap);
    ctx.save();
    ctx.font = `500 ${12 * scale}px Roboto, sans-serif`;
    ctx.textAlign = "left"; ctx.textBaseline = "middle";
    const x = u.bbox.left + u.bbox.width + 6 * scale;
    for (const mark of marks) {
      ctx.fillStyle = mark.colour; ctx.fillRect(x, mark.y - 4 * scale, 8 * scale, 8 * scale);
      ctx.fillStyle = "#0D2532"; ctx.fillText(mark.text, x + 13 * scale, mark.y);
    }
    ctx.restore();
  }

  function data(lines) {
    const x = Array.from({ length: weeks }, (_, i) => start + i * WEEK);
    return [x, ...lines.map((s) => Array.from(columns[s.i], (v) => Number.isNaN(v) ? null : v))];
  }

  function redraw(anew = false) {
    if (gone) return;
    const lines = chosen();
    const oneGood = goods.length === 1;
    picked.textContent = goods.map((g) => series.find((s) => s.good === g)?.goodName ?? g).join(", ") || "Goods";
    title.textContent = oneGood ? `Prices: ${picked.textContent}` : "Prices";
    empty.hidden = weeks > 0 && lines.length > 0;
    empty.textContent = weeks === 0 ? "No week has been played yet. Press Play or +1 week." : "Nothing to draw: tick a kind of price, or choose another good.";
    box.hidden = !empty.hidden;
    Object.assign(box.dataset, { weeks, lines: lines.length });
    table.hidden = !empty.hidden;
    if (!Plot || !empty.hidden) return;
    const key = JSON.stringify([goods, [...kinds], log, lines.map((s) => s.i), phone(), oneGood]);
    const values = data(lines);
    const width = Math.max(240, box.clientWidth), height = phone() ? 250 : look.height;
    if (anew || key !== drawn || !plot) {
      drawn = key;
      plot?.destroy();
      plot = new Plot({
        width, height, padding: [10, phone() ? 8 : oneGood ? 92 : 176, 0, 0],
        tzDate: (t) => Plot.tzDate(new Date(t * 1000), "Etc/UTC"),
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { y: { distr: log ? 3 : 1, range: log ? undefined : (u, low, high) => [0, (high || 1) * 1.06] } },
        axes: [
          { stroke: "#4A5C66", grid: { stroke: "#E3E8EB", width: 1 }, ticks: { stroke: "#D5DCE0" }, font: "12px Roboto, sans-serif", space: 64, values: dates },
          { label: "USD/kg ex VAT", labelSize: 20, labelGap: 0, labelFont: "12px Roboto, sans-serif", size: 52, stroke: "#4A5C66", grid: { stroke: "#E3E8EB", width: 1 }, ticks: { stroke: "#D5DCE0" }, font: "12px Roboto, sans-serif",
            values: (u, ticks) => ticks.map((v) => v == null ? "" : v >= 1e4 ? `${v / 1000}k` : v.toLocaleString("en")) },
        ],
        series: [{}, ...lines.map((s) => ({ label: name(s), short: oneGood ? s.kindName : `${s.goodName}, ${s.kindName}`, stroke: colour(s), width: 2, dash: look.dashes[s.kind].length ? look.dashes[s.kind] : undefined, points: { show: weeks < 3 } }))],
        hooks: { draw: [ends], setCursor: [(u) => values_(u.cursor.idx)] },
      }, values, box);
    } else {
      if (plot.width !== width) plot.setSize({ width, height });
      plot.setData(values);
    }
    values_(plot.cursor.idx);
    const last = lines.map((s) => `${name(s)} ${money(columns[s.i][weeks - 1])}`).join("; ");
    box.setAttribute("aria-label", `Price chart of ${picked.textContent}, ${weeks} weeks to ${dayName(start + (weeks - 1) * WEEK)}, USD per kg ex VAT: ${last}. Left and right arrow keys read it week by week.`);
  }

  // the table under the chart: the week under the cursor, else the last
  function values_(index) {
    const at = index == null || index >= weeks ? weeks - 1 : index;
    rows.replaceChildren(...chosen().map((s) => {
      const column = columns[s.i], now = column[at], then = at >= 13 ? column[at - 13] : NaN;
      const change = Number.isNaN(now) || Number.isNaN(then) || !then ? "\u2013" : signed(100 * (now / then - 1));
      const dash = look.dashes[s.kind];
      const swatch = `<svg width="26" height="8" aria-hidden="true" style="margin-right:8px"><line x1="0" y1="4" x2="26" y2="4" stroke="${colour(s)}" stroke-width="2.5" stroke-dasharray="${dash.join(" ")}"/></svg>`;
      const first = tag("td"); first.innerHTML = swatch; first.append(name(s));
      return tag("tr", {}, first, tag("td", { class: "n" }, money(now)), tag("td", { class: "n" }, change));
    }));
    table.querySelectorAll("th")[1].textContent = at === weeks - 1 ? "USD/kg ex VAT" : `${dayName(start + at * WEEK)}, USD/kg ex VAT`;
  }

  let read = null, timer = 0;
  box.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -13, PageDown: 13 };
    if (!plot || !(event.key in moves || event.key === "Home" || event.key === "End")) return;
    event.preventDefault(); event.stopPropagation();
    read = event.key === "Home" ? 0 : event.key === "End" ? weeks - 1 : Math.min(weeks - 1, Math.max(0, (read ?? weeks) + moves[event.key]));
    plot.setCursor({ left: plot.valToPos(start + read * WEEK, "x"), top: 10 });
    clearTimeout(timer);
    timer = setTimeout(() => { spoken.textContent = `${dayName(start + read * WEEK)}: ${chosen().map((s) => `${name(s)} ${money(columns[s.i][read])}`).join("; ")}`; }, 300);
  });

  function take(message, buffers) {
    if (message.do !== "columns") return;
    const view = buffers[0], bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
    const fresh = new Float32Array(bytes.slice().buffer), count = message.weeks - message.first;
    const anew = message.series !== null;
    if (anew) { series = message.series; columns = series.map(() => new Float32Array(0)); start = Date.parse(message.start) / 1000; weeks = 0; read = null; }
    if (message.first > weeks) { model.send({ do: "resync" }); return; }
    columns = columns.map((old, i) => {
      const next = new Float32Array(message.weeks);
      next.set(old.subarray(0, message.first));
      next.set(fresh.subarray(i * count, (i + 1) * count), message.first);
      return next;
    });
    weeks = message.weeks;
    if (anew) choices();
    pending ||= requestAnimationFrame(() => { pending = 0; redraw(anew); });
  }

  const watch = new ResizeObserver(() => { if (plot && Math.abs(plot.width - box.clientWidth) > 1) redraw(); });
  watch.observe(el);
  model.on("msg:custom", take);
  uplot().then((found) => { Plot = found; redraw(true); model.send({ do: "resync" }); })
    .catch((error) => { empty.hidden = false; empty.textContent = `The chart could not be loaded (${error.message}). Reload the page.`; });
  return () => { gone = true; watch.disconnect(); document.removeEventListener("pointerdown", outside); model.off("msg:custom", take); plot?.destroy(); };
}

export default { render };
