
// The event stream, the controls, and the lists at the side. Each event "frame" of the stream is an *update*
// with the complete state. It replaces the previous one until the browser draws, in an animation frame;
// turns and moves of replaced updates are accumulated.

const steps = makeSteps();
const turns = makeTurns();
const panel = makePanel();
const board = makeBoard((number) => panel.open(number));
const counters = document.body.dataset; // numbers of updates received and drawn, for the tests
let hello = null;
let update = null; // the newest update not drawn yet
let shown = null; // the update drawn last
let receivedAt = performance.now();
const moves = new Map();
const count = (key) => { counters[key] = String(Number(counters[key] ?? 0) + 1); };

// Requests to the server.

const post = async (path, content) => {
  try {
    const response = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
    });
    const reason = response.ok ? "" : (await response.text()).trim().slice(0, 200);
    write(find("said"), response.ok ? "" : reason || `The request failed with status ${response.status}.`);
    return response.ok;
  } catch {
    write(find("said"), "The server cannot be reached.");
    return false;
  }
};
const delay = () => Number(find("delay").value);
const control = (what) => post("/control", what === "slow" ? { do: what, delay: delay() } : { do: what });
const mode = () => shown?.mode ?? "running";
for (const [id, what] of [["pause", "pause"], ["resume", "resume"], ["event", "event"], ["turn-step", "turn"], ["slow", "slow"]]) {
  find(id).addEventListener("click", () => control(what));
}
find("delay").addEventListener("change", () => mode() === "slow" && control("slow"));

// The lists: rows are created once and changed by each update.

const fill = (list, rows, makeRow, write) => {
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) list.append(makeRow());
  rows.forEach((row, place) => write(list.children[place], row));
};
const scaled = (element, share) => {
  const transform = `scaleX(${share.toFixed(3)})`;
  if (element.style.transform !== transform) element.style.transform = transform;
};
const openFrom = (element) => {
  const number = /^c(-?\d+)$/.exec(element.dataset.who)?.[1];
  if (number) panel.open(Number(number));
};
const makeDeadline = () => {
  const item = make("li", {}, button("", () => openFrom(item), { className: "who plain" }),
    make("span", { className: "which" }), make("span", { className: "when" }), make("i", {}));
  return item;
};
const writeDeadline = (item, [who, which, seconds]) => {
  const [name, kind, when, bar] = item.children;
  item.dataset.who = who;
  write(name, who);
  write(kind, which.replace("_", "-"));
  write(when, `in ${span(seconds)}`);
  const timeout = hello.states.find((state) => state.timeout === which)?.seconds ?? seconds;
  scaled(bar, timeout ? clamp(seconds / timeout, 0, 1) : 0);
};
const makeHandle = () => {
  const bits = [make("i", { textContent: "r" }), make("i", { textContent: "w" })];
  const item = make("li", {}, make("span", { className: "fd" }),
    button("", () => openFrom(item), { className: "who plain" }), ...bits);
  return item;
};
const writeHandle = (item, [fd, who, interest, ready]) => {
  const [handle, name, ...bits] = item.children;
  item.dataset.who = who;
  write(handle, String(fd));
  write(name, who);
  name.disabled = !/^c-?\d+$/.test(who);
  bits.forEach((bit, place) => {
    const state = ready & (place + 1) ? "ready" : interest & (place + 1) ? "wanted" : "off";
    if (bit.dataset.bit !== state) bit.dataset.bit = state;
  });
  item.title = `fd ${fd}, ${who}: waits for ${["nothing", "READ", "WRITE", "READ and WRITE"][interest]}`;
};

// Demo clients and breakpoints, from the hello message.

const makeDemo = (demo) => {
  const element = button("", () => post("/demos", { name: demo.name }));
  element.append(make("b", { textContent: demo.title }), make("span", { textContent: demo.words }));
  element.dataset.demo = demo.name;
  return element;
};
const makeBreakpoint = (name, title) => {
  const box = make("input", { type: "checkbox" });
  const label = make("label", {}, box, make("span", { textContent: title }));
  label.dataset.state = box.dataset.state = name;
  box.addEventListener("change", async () => {
    const boxes = [...find("breakpoints").querySelectorAll("input")];
    const wanted = boxes.filter((each) => each.checked).map((each) => each.dataset.state);
    const kept = await post("/breakpoints", { states: wanted.filter((each) => each !== "slow"), slow: wanted.includes("slow") });
    if (!kept && shown) drawBreakpoints(shown);
  });
  return label;
};
const drawBreakpoints = ({ breakpoints }) => {
  for (const box of find("breakpoints").querySelectorAll("input")) {
    const { state } = box.dataset;
    box.checked = state === "slow" ? breakpoints.slow : breakpoints.states.includes(state);
  }
};

const begin = (message) => {
  hello = message;
  shown = update = null;
  moves.clear();
  write(find("server"), `${hello.server}, version ${hello.version}`);
  const titles = ["accepted", "closed", "requests", "refused", "bytes in", "bytes out"];
  find("totals").replaceChildren(...titles.map((title) => make("div", {},
    make("dt", { textContent: title }), make("dd", { textContent: "0" }))));
  find("demos").replaceChildren(...hello.demos.map(makeDemo));
  find("breakpoints").replaceChildren(
    ...hello.states.map(({ name }) => makeBreakpoint(name, name)), makeBreakpoint("slow", "slow turn"));
  for (const each of [steps, turns, board, panel]) each.begin(hello);
};

// Drawing an update.

const MODE_LABELS = { running: "running", paused: "paused", slow: "slow motion" };
const WAITING_LABELS = { event: "waiting for an event", turn: "waiting for an event" };
const MODE_SENTENCES = { running: "The loop is running.", paused: "The loop is paused before its next event.", slow: "The loop is running in slow motion." };
const drawMode = ({ mode, waiting, at, clock, turn, delay }) => {
  write(find("mode"), WAITING_LABELS[waiting] ?? MODE_LABELS[mode] ?? mode);
  find("mode").dataset.mode = mode;
  document.body.classList.toggle("held", at !== null);
  const sentence = waiting ? "Nothing is ready. The loop runs when something is, then pauses again." : MODE_SENTENCES[mode] ?? "";
  write(find("at-words"), at ? at.words : sentence);
  write(find("at-why"), at ? `${at.reason}, turn ${at.turn.toLocaleString("en")}` : mode === "running" ? "Press Space to pause it before its next event." : "");
  write(find("clock"), `turn ${turn.toLocaleString("en")}, clock ${clock.toFixed(mode === "running" ? 1 : 3)} s${mode === "paused" && !waiting ? ", stopped" : ""}`);
  // aria-disabled instead of disabled: a disabled button would lose the focus, and with it the keys.
  find("pause").ariaDisabled = String(mode === "paused");
  find("resume").ariaDisabled = String(mode === "running");
  find("slow").ariaPressed = String(mode === "slow");
  const box = find("delay");
  const option = [...box.options].find((each) => Number(each.value) === delay);
  if (mode === "slow" && option && document.activeElement !== box) box.value = option.value;
};
const drawLists = ({ totals, counts, deadlines, handles, handles_left_out: more, demos, mode, waiting }) => {
  const values = [totals.accepted, totals.closed, totals.requests, totals.refused].map((each) => each.toLocaleString("en"));
  values.push(bytes(totals.bytes_received), bytes(totals.bytes_sent));
  find("totals").querySelectorAll("dd").forEach((cell, place) => write(cell, values[place]));
  const open = counts.slice(0, -1).reduce((sum, each) => sum + each, 0);
  write(find("board-summary"), `${open.toLocaleString("en")} open, each in one of ${hello.states.length} states`);
  fill(find("deadlines"), deadlines, makeDeadline, writeDeadline);
  write(find("deadlines-note"), mode === "paused" && !waiting ? "the clock is stopped" : "the next to fire");
  fill(find("handles"), handles, makeHandle, writeHandle);
  write(find("selector-summary"), more ? `${counted(handles.length, "handle")} and ${more.toLocaleString("en")} more` : counted(handles.length, "handle"));
  for (const each of find("demos").children) each.setAttribute("aria-busy", String(demos.includes(each.dataset.demo)));
};
const draw = () => {
  const old = shown;
  shown = update;
  update = null;
  drawMode(shown);
  drawLists(shown);
  if (JSON.stringify(old?.breakpoints) !== JSON.stringify(shown.breakpoints)) drawBreakpoints(shown);
  steps.draw(shown, turns.last());
  board.draw(shown, moves);
  moves.clear();
  panel.draw();
  count("drawn");
};

// The event stream. A browser reconnects by itself when the stream breaks, but not when it was refused.

const SILENCE = 4000, RECONNECT_AFTER = 2000; // milliseconds; the server sends at least one update a second
let source = null;
const showLost = (reason) => {
  if (find("lost").hidden) find("mode").dataset.mode = "lost";
  find("lost").hidden = false;
  document.body.classList.add("cut");
  write(find("lost"), reason);
};
const markReceived = () => {
  receivedAt = performance.now();
  find("lost").hidden = true;
  document.body.classList.remove("cut");
};
const connect = () => {
  source = new EventSource("/events");
  source.addEventListener("hello", (event) => {
    markReceived();
    begin(JSON.parse(event.data));
  });
  source.addEventListener("frame", (event) => {
    markReceived();
    if (!hello) return;
    update = JSON.parse(event.data);
    turns.add(update.turns);
    for (const [from, to, times] of update.moves) {
      const key = moveKey(from, to);
      moves.set(key, (moves.get(key) ?? 0) + times);
    }
    count("received");
  });
  source.addEventListener("error", () => {
    showLost("Connection to the server lost, reconnecting. This page shows the last data received.");
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RECONNECT_AFTER);
  });
};

// Everything is drawn in the browser's animation frames.

let second = performance.now(), drawnInSecond = 0;
const tick = (now) => {
  requestAnimationFrame(tick);
  drawnInSecond += 1;
  if (now - second >= 1000) {
    write(find("fps"), `${Math.round((1000 * drawnInSecond) / (now - second))} frames/s`);
    second = now;
    drawnInSecond = 0;
    if (performance.now() - receivedAt > SILENCE && find("lost").hidden) showLost(`No data received from the server for ${SILENCE / 1000} s.`);
  }
  if (update) draw();
  board.animate(now);
  turns.draw();
};
new ResizeObserver(() => board.resize()).observe(find("lanes"));
requestAnimationFrame(tick);
connect();

// Keys.

const toggleKeys = () => {
  find("keys").hidden = !find("keys").hidden;
  find("keys-button").ariaExpanded = String(!find("keys").hidden);
};
find("keys-button").addEventListener("click", toggleKeys);
const KEYS = {
  " ": () => control(mode() === "paused" ? "resume" : "pause"),
  n: () => control("event"),
  t: () => control("turn"),
  s: () => control("slow"),
  "?": toggleKeys,
  Escape: () => (panel.number() !== null ? panel.close() : steps.open() ? steps.close() : find("keys").hidden || toggleKeys()),
};
// A shortcut key must not press the focused button as well. Enter presses it; Space does not, since it is a
// shortcut everywhere except in inputs. A clicked button loses the focus.
const isShortcut = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  if (event.key !== "Escape" && event.target.matches("select, input")) return false;
  return Object.hasOwn(KEYS, event.key);
};
document.addEventListener("keydown", (event) => {
  if (!isShortcut(event)) return;
  event.preventDefault();
  if (!event.repeat) KEYS[event.key]();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " " && isShortcut(event)) event.preventDefault(); // some browsers press a button here
});
document.addEventListener("click", (event) => {
  const pressed = event.detail > 0 && event.target.closest("button");
  if (pressed && pressed === document.activeElement) pressed.blur();
});
