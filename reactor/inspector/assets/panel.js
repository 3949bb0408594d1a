
// The panel of one connection: its history, its traffic, and its row in the state table. The connection is
// polled while the panel is open, one request at a time.

const makePanel = () => {
  const INTERVAL = 400; // milliseconds between two requests
  const MISSING = {
    unseen: "earlier entries were not recorded: the connection was opened before this page",
    dropped: "earlier entries were discarded",
  };
  const panel = find("connection");
  let states = [];
  let number = null;
  let isPolling = false;
  let polledAt = 0;
  let opener = null;
  let parts = {};

  const build = () => {
    const cell = (key, tag = "p", properties = {}) => (parts[key] = make(tag, { className: key, ...properties }));
    const titled = (title, ...children) => make("section", {}, make("h3", { textContent: title }), ...children);
    parts = {};
    const closeButton = button("Close", () => close(), { className: "plain", ariaLabel: "Close (Escape)" });
    panel.replaceChildren(
      make("div", { className: "heading" }, make("h2", { id: "connection-title", textContent: `c${number}` }),
        cell("state", "p", { className: "badge" }), closeButton),
      cell("note", "p"),
      cell("facts", "dl"),
      titled("History", cell("ribbon", "div", { ariaHidden: "true" }), cell("history", "ol")),
      titled("Traffic", cell("traffic", "ol")),
      titled("State table", cell("table", "table", { className: "states" })),
    );
    parts.table.append(...states.map((state) => {
      const wait = make("td", { textContent: state.interest });
      const timeout = state.timeout ? `${state.timeout.replace("_", "-")} ${state.seconds} s` : "-";
      const row = make("tr", {}, make("th", { textContent: state.name, scope: "row" }), wait,
        make("td", { textContent: timeout }), make("td", { textContent: state.on_timeout ?? "-" }));
      row.dataset.state = state.name;
      return row;
    }));
  };

  const nameOf = (index) => states[index]?.name ?? "";
  const facts = (known) => {
    const bits = ["nothing", "READ", "WRITE", "READ and WRITE"];
    const pairs = [
      ["peer", known.peer], ["fd", known.closed ? `${known.fd}, closed` : known.fd],
      ["age", span(known.age)], ["served", counted(known.served, "request")],
      ["route", known.route || "none"], ["waits for", bits[known.interest] ?? "nothing"],
      ["deadline", known.deadline ? `${known.deadline[0].replace("_", "-")}, in ${span(known.deadline[1])}` : "none"],
      ["parser", `${known.parser.phase}, ${bytes(known.parser.buffered)} buffered`],
      ["write buffer", `${bytes(known.write_buffer.bytes)}${known.write_buffer.body ? `, ${known.write_buffer.body}` : ""}`],
    ];
    if (known.closed) pairs.push(["close reason", known.close_reason || "unknown"]);
    const old = [...parts.facts.querySelectorAll("dd")];
    if (old.length === pairs.length) return pairs.forEach(([, value], place) => write(old[place], String(value)));
    parts.facts.replaceChildren(...pairs.map(([name, value]) => make("div", {},
      make("dt", { textContent: name }), make("dd", { textContent: value }))));
  };

  // The widths in the ribbon are logarithmic: otherwise RESPONDING would be less than a pixel wide.
  const history = (known) => {
    const periods = known.history.map(([ago, from, to], place) => {
      const until = known.history[place + 1]?.[0] ?? 0;
      return { ago, from, to, seconds: Math.max(0, ago - until), isLast: place === known.history.length - 1 };
    });
    parts.ribbon.replaceChildren(...periods.slice(-24).map(({ to, seconds }) => {
      const piece = make("i", { title: `${nameOf(to)}, ${span(seconds)}` });
      piece.dataset.state = nameOf(to);
      piece.style.flexGrow = String(1 + Math.max(0, 6 + Math.log10(Math.max(seconds, 1e-6))));
      return piece;
    }));
    const items = periods.reverse().map(({ ago, to, seconds, isLast }) => {
      const stay = isLast && !known.closed ? `for ${span(seconds)} so far` : isLast ? "" : `for ${span(seconds)}`;
      const item = make("li", {}, make("time", { textContent: `${span(ago)} ago` }),
        make("b", { textContent: nameOf(to) }), make("span", { textContent: stay }));
      item.dataset.state = nameOf(to);
      return item;
    });
    if (known.missing) items.push(make("li", { className: "missing", textContent: MISSING[known.missing] }));
    parts.history.replaceChildren(...items);
  };
  const traffic = (known) => {
    parts.traffic.replaceChildren(...known.traffic.slice().reverse().map(([ago, way, count, text]) => {
      const arrow = make("b", { textContent: way === "in" ? "in" : "out" });
      const item = make("li", {}, make("time", { textContent: `${span(ago)} ago` }), arrow,
        make("span", { textContent: bytes(count) }), make("code", { textContent: text }));
      item.dataset.way = way;
      return item;
    }));
    const none = known.missing === "unseen" ? MISSING.unseen : known.traffic.length ? "" : "no traffic yet";
    if (none) parts.traffic.append(make("li", { className: "missing", textContent: none }));
  };
  const show = (known) => {
    write(parts.state, nameOf(known.state));
    panel.dataset.state = nameOf(known.state);
    parts.note.hidden = true;
    facts(known);
    history(known);
    traffic(known);
    const then = states[known.state]?.successors ?? [];
    for (const row of parts.table.rows) {
      row.className = row.dataset.state === nameOf(known.state) ? "here" : then.includes(row.dataset.state) ? "next" : "";
      if (row.className === "here") row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  };
  const fail = (reason) => {
    parts.note.hidden = false;
    write(parts.note, reason);
  };

  const poll = async () => {
    const wanted = number;
    isPolling = true;
    polledAt = performance.now();
    try {
      const response = await fetch(`/connections/${wanted}`);
      const known = response.ok ? await response.json() : null;
      if (wanted !== number) return;
      if (known) show(known);
      else fail((await response.text()).trim().slice(0, 200) || `The request failed with status ${response.status}.`);
    } catch {
      if (wanted === number) fail("The server cannot be reached.");
    } finally {
      isPolling = false;
    }
  };
  const close = () => {
    const focused = panel.contains(document.activeElement);
    number = null;
    panel.hidden = true;
    document.body.classList.remove("looking");
    if (focused && opener?.isConnected) opener.focus();
  };

  return {
    number: () => number,
    close,
    begin(hello) {
      states = hello.states;
      if (number !== null) build();
    },
    open(which) {
      opener = document.activeElement;
      number = which;
      build();
      delete panel.dataset.state;
      panel.hidden = false;
      document.body.classList.add("looking");
      panel.focus({ preventScroll: true });
      poll();
    },
    draw() {
      if (number !== null && !isPolling && performance.now() - polledAt > INTERVAL) poll();
    },
  };
};
