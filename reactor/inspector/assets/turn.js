
"use strict";
// The turn: its steps, the steps within a callback, and a bar for each of the last 200 turns.
// Data from the server is inserted as text, never as markup.

const find = (id) => document.getElementById(id);
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
// Unchanged text is not written: it would cost a layout, and screen readers would announce it again.
const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const button = (text, act, properties) => {
  const element = make("button", { type: "button", textContent: text, ...properties });
  element.addEventListener("click", act);
  return element;
};
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
// A move from one state to another as one number; there are fewer than 16 states.
const moveKey = (from, to) => from * 16 + to;
const moveTarget = (key) => key % 16;

// Human-readable numbers.

const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const span = (seconds) => {
  if (seconds <= 0) return "0";
  if (seconds < 0.000995) return `${Math.max(1, Math.round(seconds * 1e6))} us`; // as in --explain
  if (seconds < 0.00995) return `${(seconds * 1e3).toFixed(1).replace(/\.0$/, "")} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 99.95) return `${seconds.toFixed(1).replace(/^(\d)\.0$/, "$1")} s`;
  return seconds < 6000 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 3600)} h`;
};
const bytes = (size) => {
  if (size < 1000) return `${size} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = size / 1000;
  while (value >= 999.5 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${units[0]}`;
};

// The steps. One explanation is open at a time; the step at which the loop is held is highlighted.

const makeSteps = () => {
  const TURN_STEPS = ["earliest", "select", "dispatch", "soon", "late"];
  // The cards that are lit where the loop is held, if not the one with the same name.
  const cardsLitAt = { turn: ["earliest"], enter: ["dispatch", "enter"] };
  const cards = new Map();
  const region = find("explanation");
  let open = null;
  let yielding = -1; // the index of the state whose connections are called in the next turn

  const explain = (step) => {
    open = open === step ? null : step;
    for (const [name, { ask }] of cards) ask.ariaExpanded = String(name === open?.name);
    region.hidden = !open;
    if (!open) return region.replaceChildren();
    const close = button("Close", () => explain(step), { className: "plain" });
    const where = make("code", { textContent: `${step.file}:${step.line}` });
    const title = make("h3", { textContent: step.title });
    region.replaceChildren(title, make("p", { textContent: step.words }), make("p", {}, where), close);
  };

  const card = (step) => {
    const ask = button("Explain", () => explain(step), {
      className: "ask", ariaLabel: `Explain: ${step.title}`, ariaExpanded: "false",
    });
    ask.setAttribute("aria-controls", "explanation");
    const now = make("p", { className: "now" });
    const element = make("li", { className: "step" }, make("h3", { textContent: step.title }), now, ask);
    element.dataset.step = step.name;
    cards.set(step.name, { element, now, ask });
    return element;
  };

  const part = (step) => {
    const ask = button(step.name, () => explain(step), {
      className: "part", title: step.title, ariaLabel: `Explain: ${step.title}`, ariaExpanded: "false",
    });
    ask.setAttribute("aria-controls", "explanation");
    const element = make("li", {}, ask);
    element.dataset.step = step.name;
    cards.set(step.name, { element, now: null, ask });
    return element;
  };

  return {
    open: () => open !== null,
    close: () => open && explain(open),
    begin({ steps, states }) {
      cards.clear();
      yielding = states.findIndex(({ name }) => name === "YIELDING");
      open = null;
      region.hidden = true;
      find("steps").replaceChildren(...steps.filter(({ name }) => TURN_STEPS.includes(name)).map(card));
      find("parts").replaceChildren(...steps.filter(({ name }) => !TURN_STEPS.includes(name)).map(part));
    },
    draw({ at, deadlines, counts }, last) {
      const lit = at ? cardsLitAt[at.step] ?? [at.step] : [];
      for (const [name, { element }] of cards) {
        const on = lit.includes(name);
        if (element.classList.contains("lit") !== on) element.classList.toggle("lit", on);
        if (on) element.setAttribute("aria-current", "step");
        else element.removeAttribute("aria-current");
      }
      const update = (name, text) => cards.get(name)?.now && write(cards.get(name).now, text);
      update("earliest", deadlines.length ? `may sleep ${span(deadlines[0][2])}` : "may sleep indefinitely");
      const yielded = counts[yielding];
      update("soon", yielded ? `${counted(yielded, "connection")} in the next turn` : "no connection yielded");
      if (!last) return;
      update("select", `slept ${span(last[1])}, ${last[4]} ready`);
      update("dispatch", last[4] ? `${counted(last[4], "event")} in ${span(last[2])}` : "no events");
      update("late", last[3] > 0 ? `took ${span(last[3])}` : "no deadline passed");
    },
  };
};

// The bars. Work grows upwards, and sleep downwards, both on a logarithmic scale: a turn may last
// 20 microseconds or a minute. Only the last 200 turns are kept.

const makeTurns = () => {
  const KEPT = 200;
  const LOG_MIN = -5.3, LOG_MAX = 1.4; // powers of ten, in seconds: 5 us to 25 s
  const canvas = find("turns");
  const brush = canvas.getContext("2d");
  const kept = [];
  let slow = null; // seconds, from the hello message
  let pointed = null; // the turn under the pointer
  let dirty = true;
  let colours = {};

  const size = (seconds) => (seconds <= 0 ? 0 : clamp((Math.log10(seconds) - LOG_MIN) / (LOG_MAX - LOG_MIN), 0.03, 1));
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    const names = ["dispatching", "deadlines", "sleeping", "bad", "line", "quiet", "ink"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    dirty = true;
  };
  const fit = () => {
    const scale = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.round(canvas.clientHeight * scale);
    dirty = true;
  };
  const MARGIN = 44; // pixels at the left, for the scale
  const step = () => (canvas.clientWidth - MARGIN) / KEPT;

  const guides = (width, middle, up, down) => {
    brush.font = `10px ${getComputedStyle(canvas).fontFamily}`;
    brush.fillStyle = colours.quiet;
    brush.strokeStyle = colours.line;
    brush.lineWidth = 1;
    brush.textAlign = "right";
    brush.textBaseline = "middle";
    const line = (y, text) => {
      brush.beginPath();
      brush.moveTo(MARGIN, Math.round(y) + 0.5);
      brush.lineTo(width, Math.round(y) + 0.5);
      brush.stroke();
      brush.fillText(text, MARGIN - 8, y);
    };
    line(middle, "0");
    for (const seconds of [0.0001, 0.001, 0.01, 0.1, 1]) {
      if (Math.abs(size(seconds) - size(slow)) * up > 11) line(middle - size(seconds) * up, span(seconds));
    }
    line(middle + size(0.01) * down, "10 ms");
    line(middle + size(10) * down, "10 s");
    if (slow === null) return;
    brush.setLineDash([3, 3]);
    brush.strokeStyle = brush.fillStyle = colours.bad;
    line(middle - size(slow) * up, span(slow));
    brush.setLineDash([]);
  };

  const bar = (turn, x, width, middle, up, down) => {
    const [, slept, dispatched, late, , isSlow] = turn;
    const work = size(dispatched + late) * up;
    const share = dispatched + late > 0 ? late / (dispatched + late) : 0;
    brush.globalAlpha = pointed && pointed !== turn ? 0.45 : 1;
    brush.fillStyle = colours.sleeping;
    brush.fillRect(x, middle + 1, width, size(slept) * down);
    brush.fillStyle = isSlow ? colours.bad : colours.dispatching;
    brush.fillRect(x, middle - work, width, work * (1 - share));
    brush.fillStyle = colours.deadlines;
    brush.fillRect(x, middle - work * share, width, work * share);
    if (isSlow) {
      brush.fillStyle = colours.bad;
      brush.beginPath();
      brush.arc(x + width / 2, middle - work - 5, 2.5, 0, 7);
      brush.fill();
    }
    brush.globalAlpha = 1;
  };

  const paint = () => {
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    brush.setTransform(scale, 0, 0, scale, 0, 0);
    brush.clearRect(0, 0, width, height);
    const middle = Math.round(height * 0.64);
    const up = middle - 10, down = height - middle - 3;
    guides(width, middle, up, down);
    const first = width - kept.length * step();
    kept.forEach((turn, place) => bar(turn, first + place * step(), Math.max(1, step() - 1), middle, up, down));
  };

  const summarise = () => {
    const sums = [0, 0, 0];
    for (const turn of kept) for (const part of [0, 1, 2]) sums[part] += turn[part + 1];
    const all = sums[0] + sums[1] + sums[2];
    const share = (part) => `${((100 * sums[part]) / all).toFixed(sums[part] / all > 0.0995 ? 0 : 1)} %`;
    if (all) write(find("turn-summary"), `slept ${share(0)} of the time, dispatched ${share(1)}`);
    const turn = pointed ?? kept.at(-1);
    if (!turn) return;
    const [number, slept, dispatched, late, ready, isSlow] = turn;
    write(find("turn-detail"), `turn ${number.toLocaleString("en")}: slept ${span(slept)}, ${ready} ready, `
      + `dispatched in ${span(dispatched)}${late > 0 ? `, deadlines ${span(late)}` : ""}${isSlow ? ", slow" : ""}`);
  };

  canvas.addEventListener("pointermove", (event) => {
    const place = Math.floor((event.offsetX - (canvas.clientWidth - kept.length * step())) / step());
    pointed = kept[place] ?? null;
    dirty = true;
  });
  canvas.addEventListener("pointerleave", () => {
    pointed = null;
    dirty = true;
  });
  new ResizeObserver(fit).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
  readColours();

  return {
    last: () => kept.at(-1),
    kept: () => kept.length,
    begin(hello) {
      slow = hello.slow_turn;
      kept.length = 0;
      dirty = true;
    },
    add(turns) {
      kept.push(...turns.slice(-KEPT));
      if (kept.length > KEPT) kept.splice(0, kept.length - KEPT);
      dirty = dirty || turns.length > 0;
    },
    draw() {
      if (!dirty) return;
      dirty = false;
      if (pointed && !kept.includes(pointed)) pointed = null;
      paint();
      summarise();
    },
  };
};
