// The gateway's own page. Everything it shows comes from the agent; it keeps nothing.

const LANGUAGES = { kk: "ҚАЗ", ru: "РУС", en: "ENG" };
const MARKS = { ok: ["✓", "good"], warning: ["▲", "warning"], failed: ["✕", "bad"] };
const STATES = { ok: "ok", waiting: "warning", failing: "failed" };
const TREND_SAMPLES_MAX = 120;
const FRAMES_MAX = 200;
const STATE_MS = 2000;

const words = await (await fetch("/words.json")).json();
let language = chosenLanguage();
let state = null;
let clockOffsetMs = 0;
let word = "";
let leave = () => {};

const $ = (id) => document.getElementById(id);

function chosenLanguage() {
  const kept = localStorage.getItem("language");
  const wanted = [kept, ...navigator.languages.map((one) => one.slice(0, 2).toLowerCase())];
  return wanted.find((one) => one in LANGUAGES) ?? "en";
}

function say(key, about = {}) {
  const text = words[key]?.[language] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => about[name] ?? "");
}

function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  const text = String(value).replace("-", "−");
  return language === "en" ? text : text.replace(".", ",");
}

function withUnit(value, unit) {
  return unit ? `${number(value)} ${unit}` : number(value);
}

function nowNs() {
  return (Date.now() + clockOffsetMs) * 1e6;
}

function age(fromNs) {
  const seconds = Math.max((nowNs() - fromNs) / 1e9, 0);
  for (const [each, from, name] of [[86400, 172800, "d"], [3600, 5400, "h"], [60, 100, "min"]]) {
    if (seconds >= from) return say(`age ${name}`, { n: Math.round(seconds / each) });
  }
  return say("age s", { n: Math.round(seconds) });
}

// An element: its tag with classes ("p.soft"), its properties, what is in it.
function made(tag, properties = {}, ...inside) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...inside.filter((one) => one !== null && one !== ""));
  return element;
}

function mark(result) {
  const [shape, look] = MARKS[result];
  return made(`span.mark.${look}`, { "aria-hidden": "true" }, shape);
}

async function ask(path, order) {
  const joint = path.includes("?") ? "&" : "?";
  const sent = order === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CityTwin-Word": word },
    body: JSON.stringify(order),
  };
  const answer = await fetch(`${path}${joint}language=${language}`, sent);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

function listen(path, take) {
  const source = new EventSource(`${path}&language=${language}`);
  source.onmessage = (event) => take(JSON.parse(event.data));
  return () => source.close();
}

// ---- the frame around every view

function drawFrame() {
  document.documentElement.lang = language;
  $("languages").setAttribute("aria-label", say("language"));
  $("languages").replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) =>
    made("button", { type: "button", lang: code, "aria-pressed": code === language, onclick: () => {
      language = code;
      localStorage.setItem("language", code);
      refresh().then(route);
    } }, name)));
  const here = location.hash || "#";
  $("tabs").replaceChildren(...[["#", "devices"], ["#doctor", "examine"]].map(([hash, key]) => {
    const isHere = hash === here || (hash === "#" && here.startsWith("#device="));
    return made("a", { href: hash, ...(isHere ? { "aria-current": "page" } : {}) }, say(key));
  }));
  if (!state) return;
  $("label").textContent = state.label || state.gateway;
  $("gateway").textContent = state.label ? state.gateway : "";
  $("version").textContent = `citytwin-edge ${state.version}`;
  document.title = state.label || state.gateway;
  const isOpen = state.unlocked_s > 0;
  const time = say("age min", { n: Math.max(Math.ceil(state.unlocked_s / 60), 1) });
  $("lock").textContent = isOpen ? say("unlocked", { time }) : say("locked");
  $("lock").onclick = () => (isOpen ? ask("/api/lock", {}).then(refresh) : unlocked());
}

async function refresh() {
  try {
    state = await ask("/api/state");
    clockOffsetMs = state.time_ns / 1e6 - Date.now();
    word = state.word;
    $("notice").hidden = true;
  } catch (error) {
    $("notice").textContent = error instanceof TypeError ? say("unreachable") : error.message;
    $("notice").hidden = false;
  }
  drawFrame();
}

function dialog(title, ...inside) {
  const box = $("dialog");
  box.replaceChildren(made("h2", {}, title), ...inside);
  if (!box.open) box.showModal();
  return box;
}

function actions(...buttons) {
  return made("div.actions", {}, ...buttons);
}

function button(text, onclick, look = "") {
  return made(look ? `button.${look}` : "button", { type: "button", onclick }, text);
}

// Resolves to true when the page is unlocked.
function unlocked() {
  if (state?.unlocked_s > 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const said = made("p.bad", { role: "alert" });
    const pin = made("input", { inputMode: "numeric", autocomplete: "one-time-code", maxLength: 6 });
    const form = made("form", { method: "dialog" },
      made("p.soft", {}, say("pin help")), made("label", {}, say("pin"), pin), said,
      actions(button(say("cancel"), () => { $("dialog").close(); resolve(false); }),
        made("button.first", { type: "submit" }, say("locked"))));
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await ask("/api/unlock", { pin: pin.value });
        $("dialog").close();
        await refresh();
        resolve(true);
      } catch (error) {
        said.textContent = error.message;
        pin.select();
      }
    };
    dialog(say("pin title"), form);
    pin.focus();
  });
}

// ---- views

function finding(row) {
  const [kind, ...rest] = row.check.split(" ");
  const key = `check ${row.check}` in words ? `check ${row.check}` : `check ${kind}`;
  const name = rest.length && key === `check ${kind}` ? "" : say(key);
  return made("div.finding", { "data-check": row.check, "data-result": row.result },
    made("div.row", {}, mark(row.result),
      made("span.grow", {}, name ? made("b", {}, name) : "", name ? ": " : "", row.found)),
    row.remedy ? made("p.remedy.soft", {}, `→ ${row.remedy}`) : "");
}

function counts(device) {
  return ["good", "uncertain", "bad"].filter((name) => device[name])
    .map((name) => say(`${name} count`, { n: device[name] })).join(", ");
}

function deviceCard(device) {
  const about = [say(`state ${device.state}`)];
  if (device.since_ns) about.push(say("since", { age: age(device.since_ns) }));
  const pace = [say("success", { n: number(Math.round(device.success * 1000) / 10) })];
  if (device.latency_p50_ms !== null) {
    pace.push(say("latency", { p50: number(device.latency_p50_ms), p99: number(device.latency_p99_ms) }));
  }
  return made("a.card.device", { href: `#device=${device.device}`, "data-device": device.device },
    made("h3", {}, mark(STATES[device.state]), made("span.grow", {}, device.label || device.device),
      device.label ? made("span.soft", {}, device.device) : ""),
    made("p", {}, about.join(" "), counts(device) ? ` · ${counts(device)}` : ""),
    made("p.soft", {}, pace.join(" · ")),
    device.error ? made("p.soft", {}, say("last error", { error: device.error })) : "");
}

function home() {
  const draw = () => {
    if (!state) return;
    $("main").replaceChildren(
      ...state.devices.map(deviceCard),
      made("section.card", { id: "summary" }, ...state.summary.map(finding)));
  };
  draw();
  return draw;
}

function doctor() {
  const list = made("section.card", { id: "findings" }, say("examining"));
  const again = button(say("examine again"), () => look());
  const look = async () => {
    again.disabled = true;
    list.textContent = say("examining");
    try {
      list.replaceChildren(...(await ask("/api/doctor")).findings.map(finding));
    } catch (error) {
      list.textContent = error.message;
    }
    again.disabled = false;
  };
  $("main").replaceChildren(list, actions(again));
  look();
  return () => {};
}

class PointCard {
  constructor(point) {
    this.point = point;
    this.trend = [];
    this.value = made("div.value");
    this.quality = made("span");
    this.age = made("span.soft");
    this.svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.svg.classList.add("trend");
    this.svg.setAttribute("viewBox", "0 0 100 24");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("aria-hidden", "true");
    this.path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    this.svg.append(this.path);
    const label = point.label[language] || point.label.ru || point.label.en || point.label.kk;
    this.name = label || point.point;
    this.card = made("section.card.point", { "data-point": point.point },
      made("h3", {}, made("span.grow", {}, this.name),
        label ? made("span.soft", {}, point.point) : ""),
      made("div.row", {}, made("div.grow", {}, this.value),
        point.writable ? button(say("write"), () => write(this)) : ""),
      made("p", {}, this.quality, " ", this.age), point.kind === "text" ? "" : this.svg);
    this.take(point.time_ns, point.value, point.quality);
  }

  take(timeNs, value, quality) {
    Object.assign(this, { timeNs, current: value, state: quality });
    if (timeNs) this.trend.push(typeof value === "number" ? value : null);
    if (this.trend.length > TREND_SAMPLES_MAX) this.trend.shift();
    this.draw();
  }

  draw() {
    this.value.replaceChildren(number(this.current),
      this.current !== null && this.point.unit ? made("small", {}, ` ${this.point.unit}`) : "");
    const level = { g: "ok", u: "warning", b: "failed" }[this.state[0]];
    this.quality.className = MARKS[level][1];
    this.quality.textContent =
      this.timeNs ? `${MARKS[level][0]} ${say(`quality ${this.state}`)}` : say("nothing yet");
    this.path.setAttribute("d", trendPath(this.trend));
    this.tick();
  }

  tick() {
    this.age.textContent = this.timeNs ? `· ${say("ago", { age: age(this.timeNs) })}` : "";
  }
}

function trendPath(values) {
  const known = values.filter((one) => one !== null);
  if (known.length < 2) return "";
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  let isPen = false;
  return values.map((one, index) => {
    if (one === null) { isPen = false; return ""; }
    const x = (100 * index / (values.length - 1)).toFixed(2);
    const y = (22 - 20 * (one - low) / span).toFixed(2);
    const step = `${isPen ? "L" : "M"}${x} ${y}`;
    isPen = true;
    return step;
  }).join("");
}

function deviceView(name) {
  const cards = new Map();
  const head = made("div");
  const list = made("div", { id: "points" });
  const note = made("p.soft", { role: "status" });
  const frames = made("section.card.frames", { id: "frames", hidden: true });
  let stopFrames = null;
  const probe = button(say("probe"), async () => {
    if (!(await unlocked())) return;
    probe.disabled = true;
    note.textContent = say("waiting for device");
    try {
      const rows = (await ask("/api/probe", { device: name })).rows;
      note.textContent = "";
      dialog(say("probe"), made("div", { id: "probed" }, ...rows.map((row) => made("div.finding", {},
        made("div.row", {}, mark({ g: "ok", u: "warning", b: "failed" }[row.quality[0]]),
          made("span.grow", {}, `${row.point}: ${withUnit(row.value, row.unit)}`)),
        made("p.remedy.soft", {}, [say(`quality ${row.quality}`), row.raw ? say("raw", { raw: row.raw }) : "",
          row.note].filter(Boolean).join(" · "))))), actions(button(say("close"), () => $("dialog").close())));
    } catch (error) {
      note.textContent = error.message;
    }
    probe.disabled = false;
  });
  const tap = button(say("frames"), async () => {
    if (stopFrames) { stopFrames(); return; }
    if (!(await unlocked())) return;
    frames.hidden = false;
    frames.replaceChildren();
    tap.textContent = say("stop");
    const end = listen(`/api/frames?device=${encodeURIComponent(name)}`, (item) => {
      if (item.dropped) frames.prepend(made("p", {}, say("dropped", { n: item.dropped })));
      frames.prepend(...item.frames.map(frameLine).reverse());
      while (frames.childElementCount > FRAMES_MAX) frames.lastChild.remove();
    });
    stopFrames = () => { end(); stopFrames = null; tap.textContent = say("frames"); };
  });
  $("main").replaceChildren(
    made("p", {}, made("a", { href: "#" }, `← ${say("back")}`)), head, actions(probe, tap), note,
    frames, list);
  const end = listen(`/api/watch?device=${encodeURIComponent(name)}`, (item) => {
    if (item.points) {
      cards.clear();
      for (const point of item.points) cards.set(point.number, new PointCard(point));
      list.replaceChildren(...[...cards.values()].map((one) => one.card));
    }
    for (const [number, ...sample] of item.samples ?? []) cards.get(number)?.take(...sample);
  });
  leave = () => { end(); stopFrames?.(); };
  const draw = () => {
    const device = state?.devices.find((one) => one.device === name);
    if (device) head.replaceChildren(deviceCard(device));
    for (const card of cards.values()) card.tick();
  };
  draw();
  return draw;
}

function frameLine(frame) {
  const time = new Date(frame.time_ns / 1e6).toISOString().slice(11, 23);
  return made("p", {}, `${time} `, made(`b.${frame.direction}`, {}, frame.direction.toUpperCase()),
    frame.note ? ` ${frame.note}` : "", ` ${frame.data}`);
}

// ---- writing: a value, a question, the read-back

async function write(card) {
  if (!(await unlocked())) return;
  const { point } = card, [low, high] = point.writable;
  const value = made("input", { type: "number", min: low, max: high, step: point.step || "any", required: true });
  const form = made("form", { method: "dialog" },
    made("p.soft", {}, say("write help", { low: number(low), high: withUnit(high, point.unit) })),
    made("label", {}, card.name, value),
    actions(button(say("cancel"), () => $("dialog").close()),
      made("button.first", { type: "submit" }, say("write"))));
  form.onsubmit = (event) => {
    event.preventDefault();
    confirmed(card, Number(value.value));
  };
  dialog(say("write title", { point: card.name }), form);
  value.focus();
}

function confirmed(card, value) {
  const { point } = card, shown = withUnit(value, point.unit);
  const question = say("write confirm",
    { value: shown, point: card.name, before: withUnit(card.current, point.unit) });
  const text = made("p", { role: "status" }, question);
  const yes = button(say("write yes"), async () => {
    yes.remove();
    text.textContent = say("waiting for device");
    try {
      const order = { point: `${point.device}/${point.point}`, value };
      const done = await ask("/api/write", order);
      const read = withUnit(done.read, point.unit);
      text.textContent = done.confirmed ? say("write done", { read })
        : done.state === "executed" ? say("write unread", { value: shown })
          : say("write failed", { reason: done.reason });
      text.className = done.confirmed ? "good" : "bad";
    } catch (error) {
      text.textContent = error.message;
      text.className = "bad";
    }
    no.textContent = say("close");
  }, "first");
  const no = button(say("cancel"), () => $("dialog").close());
  dialog(say("write title", { point: card.name }), text, actions(no, yes));
}

// ---- which view

let draw = () => {};

function route() {
  leave();
  leave = () => {};
  drawFrame();
  const [, name] = location.hash.match(/^#device=(.+)$/) ?? [];
  draw = name ? deviceView(decodeURIComponent(name)) : location.hash === "#doctor" ? doctor() : home();
}

addEventListener("hashchange", route);
await refresh();
route();
setInterval(async () => {
  if (document.hidden) return;
  await refresh();
  draw();
}, STATE_MS);
