
// The state board: a lane for each state, a chip for each connection, and arcs between the states.
// A connection passes through RESPONDING in microseconds. So a chip follows the moves between two
// updates lane by lane, and takes the colour of each state on its path.

const makeBoard = (openConnection) => {
  const board = find("lanes");
  const list = find("lane-list");
  const chipLayer = find("chips");
  const SIZES = { full: [146, 40], compact: [56, 26], tiny: [17, 17] };
  const BUCKETS = ["<1 ms", "<10 ms", "<100 ms", "<1 s", "<10 s", "<1 min", "<10 min", "longer"];
  const GAP = 6; // pixels
  const STEP = 230, FADE = 500, TIDY_AFTER = 900, SHRINK_AFTER = 2000; // milliseconds
  const MAX_PATH = 6; // lanes
  const MAX_LEAVING = 60; // at most this many chips glide to CLOSED at the same time; others vanish immediately
  let states = [];
  let lanes = [];
  let responding = -1, closed = -1;
  let size = "full";
  let flow = null;
  let measured = false;
  let isFirst = true; // no update of this stream has been drawn yet
  const chips = new Map(); // by number
  const spareChips = [];

  // Lanes: the description of a state, the number of connections in it, and room for their chips.

  const makeLane = (state, index) => {
    const count = make("span", { className: "count", textContent: "0" });
    const glow = make("span", { className: "glow" });
    const buckets = BUCKETS.map((title) => make("span", { className: "bucket", title }, make("i", {}), make("b", {})));
    const dense = make("div", { className: "dense", hidden: true }, ...buckets);
    const isLast = !state.successors.length;
    const without = isLast ? "the handle is closed" : "waits for the next turn";
    const wait = state.interest === "-" ? without : `waits for ${state.interest}`;
    const timeout = state.timeout ? `, ${state.timeout.replace("_", "-")} ${state.seconds} s` : "";
    const element = make("li", { className: "lane" }, glow, make("div", { className: "label" },
      make("h3", { textContent: state.name }), count, make("p", { textContent: wait + timeout })), dense);
    element.dataset.state = state.name;
    element.title = isLast ? "final state" : `next: ${state.successors.join(", ")}`;
    return {
      state, index, element, count, glow, dense, buckets, heat: 0, shown: 0,
      slots: [], used: 0, rows: 1, fewerSince: 0, changed: 0, top: 0, columns: 1, // heat: 1 after a move, then fading
    };
  };

  // All layout is read here: after a change of the lanes' heights, or of the window.
  const measure = () => {
    const label = lanes[0]?.element.querySelector(".label");
    if (!label) return;
    const narrow = getComputedStyle(lanes[0].element).flexDirection === "column";
    const left = narrow ? label.offsetLeft : label.offsetLeft + label.offsetWidth + 12;
    const room = board.clientWidth - left - 6;
    for (const lane of lanes) {
      lane.left = left;
      lane.top = lane.element.offsetTop + (narrow ? label.offsetTop + label.offsetHeight + 6 : 8);
      lane.middle = lane.element.offsetTop + lane.element.offsetHeight / 2;
      lane.columns = Math.max(1, Math.floor((room + GAP) / (SIZES[size][0] + GAP)));
    }
    flow.fit(lanes, board.clientHeight);
    measured = true;
    for (const chip of chips.values()) place(chip);
  };
  const setRows = (lane, rows) => {
    lane.rows = rows;
    lane.element.style.setProperty("--room", `${rows * (SIZES[size][1] + GAP) - GAP}px`);
    measured = false;
  };
  const settleRows = (lane, now) => {
    if (lane.slots.length > lane.used && now - lane.changed > TIDY_AFTER) closeRanks(lane);
    const rows = Math.max(1, Math.ceil(lane.slots.length / lane.columns));
    if (rows >= lane.rows) lane.fewerSince = now;
    if (rows > lane.rows || now - lane.fewerSince > SHRINK_AFTER) {
      if (rows !== lane.rows) setRows(lane, rows);
      lane.fewerSince = now;
    }
  };

  // Slots: a chip takes the first free one; a lane with gaps is compacted once no chip enters or leaves it.

  const enter = (chip, index) => {
    const lane = lanes[index];
    leave(chip);
    let slot = lane.slots.indexOf(null);
    if (slot < 0) slot = lane.slots.length;
    lane.slots[slot] = chip;
    lane.used += 1;
    lane.changed = performance.now();
    Object.assign(chip, { lane, slot });
    chip.element.dataset.state = lane.state.name;
  };
  const leave = (chip) => {
    const { lane } = chip;
    if (!lane) return;
    lane.slots[chip.slot] = null;
    lane.used -= 1;
    lane.changed = performance.now();
    while (lane.slots.length && lane.slots.at(-1) === null) lane.slots.pop();
    chip.lane = null;
    if (lane.slots.length - lane.used > lane.columns) closeRanks(lane);
  };
  const closeRanks = (lane) => {
    lane.slots = lane.slots.filter(Boolean);
    lane.slots.forEach((chip, slot) => {
      chip.slot = slot;
      place(chip);
    });
  };
  const place = (chip) => {
    const { lane, slot } = chip;
    if (!lane || !measured) return;
    const [width, height] = SIZES[size];
    const x = lane.left + (slot % lane.columns) * (width + GAP);
    const y = lane.top + Math.floor(slot / lane.columns) * (height + GAP);
    const transform = `translate(${x}px, ${y}px)`;
    if (chip.transform === transform) return;
    chip.transform = chip.element.style.transform = transform;
  };

  // Chips are reused for other connections.

  const makeChip = () => {
    const parts = Object.fromEntries(["name", "served", "peer"].map((key) => [key, make("span", { className: key })]));
    const gauges = Object.fromEntries(["in", "out"].map((key) => [key, make("i", {})]));
    const timeout = make("i", {});
    const gauge = make("span", { className: "gauges", ariaHidden: "true" },
      make("span", { className: "gauge" }, gauges.in), make("span", { className: "gauge" }, gauges.out));
    const left = make("span", { className: "timeout", ariaHidden: "true" }, timeout);
    const element = make("button", { type: "button" }, left, parts.name, parts.served, parts.peer, gauge);
    const chip = { element, parts, gauges, timeout };
    element.addEventListener("click", () => openConnection(chip.number));
    return chip;
  };
  const appear = (number, index) => {
    const chip = spareChips.pop() ?? makeChip();
    Object.assign(chip, { number, lane: null, path: [], due: 0, served: 0, gone: false, transform: "", texts: "" });
    chip.element.dataset.number = number;
    chip.element.className = "chip new";
    chips.set(number, chip);
    enter(chip, index);
    place(chip);
    chipLayer.append(chip.element);
    return chip;
  };
  const vanish = (chip) => {
    leave(chip);
    chips.delete(chip.number);
    chip.element.remove();
    if (spareChips.length < 400) spareChips.push(chip);
  };
  const scale = (element, axis, share) => {
    const transform = `scale${axis}(${share.toFixed(2)})`;
    if (element.style.transform !== transform) element.style.transform = transform;
  };
  const fill = (size, most) => (size ? clamp(Math.log2(1 + size) / Math.log2(1 + most), 0.08, 1) : 0);
  const updateChip = (chip, [number, fd, peer, state, served, unparsed, unsent, deadline]) => {
    Object.assign(chip, { served, state });
    write(chip.parts.name, size === "full" ? `c${number} · fd ${fd}` : `c${number}`);
    write(chip.parts.served, served ? `${served.toLocaleString("en")}×` : "");
    write(chip.parts.peer, peer);
    const label = `c${number}, ${states[state].name}, ${peer}, fd ${fd}, ${counted(served, "request")} served, `
      + `${bytes(unparsed)} unparsed, ${bytes(unsent)} unsent`;
    if (chip.element.title !== label) chip.element.title = chip.element.ariaLabel = label;
    scale(chip.gauges.in, "X", fill(unparsed, 65536));
    scale(chip.gauges.out, "X", fill(unsent, 262144));
    const { seconds } = states[state];
    scale(chip.timeout, "Y", deadline === null || !seconds ? 0 : clamp(deadline / seconds, 0, 1));
  };

  // The path of a chip between two updates: the shortest along the recorded moves, through RESPONDING if
  // a request was served in between; directly to its state if there is no such path.

  const shortestPath = (from, to, moves) => {
    const paths = [[from]];
    const seen = new Set();
    while (paths.length) {
      const path = paths.shift();
      for (let next = 0; next < states.length; next += 1) {
        if (!moves.get(moveKey(path.at(-1), next)) || seen.has(next)) continue;
        if (next === to) return [...path.slice(1), to];
        seen.add(next);
        paths.push([...path, next]);
      }
    }
    return null;
  };
  const findPath = (from, to, wasServed, moves) => {
    if (wasServed && from !== responding && to !== responding) {
      const there = shortestPath(from, responding, moves);
      const back = there && shortestPath(responding, to, moves);
      if (back) return [...there, ...back];
    }
    if (from === to) return [];
    return shortestPath(from, to, moves) ?? [to];
  };
  const extendPath = (chip, to, wasServed, moves) => {
    const from = chip.path.at(-1) ?? chip.lane.index;
    const path = size === "tiny" || calm.matches ? (from === to ? [] : [to]) : findPath(from, to, wasServed, moves);
    chip.path.push(...path);
    if (chip.path.length > MAX_PATH) chip.path = [...chip.path.slice(0, MAX_PATH - 1), to];
  };
  const advance = (chip, now) => {
    if (chip.path.length && now >= chip.due) {
      enter(chip, chip.path.shift());
      chip.element.classList.remove("new");
      place(chip);
      chip.due = now + (calm.matches ? 0 : STEP);
    } else if (chip.gone && !chip.path.length && now > chip.due) {
      if (now > chip.due + FADE) vanish(chip);
      else chip.element.classList.add("gone");
    }
  };

  const chooseChipSize = (count) => {
    const few = board.clientWidth < 600 ? 6 : 32;
    const wanted = count > 140 ? "tiny" : count > few + (size === "full" ? 4 : 0) ? "compact" : "full";
    if (wanted === size && chipLayer.dataset.size) return;
    size = chipLayer.dataset.size = wanted;
    for (const lane of lanes) setRows(lane, 1);
  };
  const showChips = (update, moves) => {
    chooseChipSize(update.chips.length);
    if (!measured) measure();
    const seen = new Set();
    for (const each of update.chips) {
      const [number, , , state, served] = each;
      seen.add(number);
      const known = chips.get(number);
      // The path of a connection that was opened before the page is unknown: it appears in its state.
      const chip = known ?? appear(number, served || isFirst ? state : 0);
      if (chip.gone) continue;
      extendPath(chip, state, served > chip.served && (known !== undefined || (served < 3 && !isFirst)), moves);
      updateChip(chip, each);
      chip.element.classList.toggle("ringed", update.at?.connection === number);
    }
    isFirst = false;
    let leaving = 0;
    for (const chip of [...chips.values()]) {
      if (seen.has(chip.number)) continue;
      leaving += 1;
      if (leaving > MAX_LEAVING) vanish(chip);
      if (chip.gone || leaving > MAX_LEAVING) continue;
      chip.gone = true;
      chip.element.classList.remove("ringed");
      extendPath(chip, closed, false, moves);
    }
  };
  const showDensity = (density) => {
    for (const chip of [...chips.values()]) vanish(chip);
    const most = Math.max(1, ...density.flat());
    lanes.forEach(({ buckets }, index) => buckets.forEach(({ firstChild, lastChild }, place) => {
      const number = density[index][place];
      scale(firstChild, "Y", number ? Math.max(0.06, Math.sqrt(number / most)) : 0);
      write(lastChild, number ? number.toLocaleString("en") : "");
    }));
  };

  return {
    begin(hello) {
      states = hello.states;
      responding = states.findIndex(({ name }) => name === "RESPONDING");
      closed = states.findIndex(({ name }) => name === "CLOSED");
      for (const chip of [...chips.values()]) vanish(chip);
      lanes = states.map(makeLane);
      list.replaceChildren(...lanes.map(({ element }) => element));
      flow = makeFlow(states, lanes);
      measured = false;
      isFirst = true;
    },
    // Draw an update, with the moves of all updates since the last one drawn.
    draw(update, moves) {
      const dense = !update.chips;
      if (board.classList.contains("crowded") !== dense) {
        board.classList.toggle("crowded", dense);
        for (const lane of lanes) {
          lane.dense.hidden = !dense;
          setRows(lane, 1);
        }
      }
      lanes.forEach((lane, index) => {
        const number = index === closed ? update.totals.closed : update.counts[index];
        write(lane.count, number.toLocaleString("en"));
        lane.element.classList.toggle("empty", !number);
      });
      for (const [key, count] of moves) {
        lanes[moveTarget(key)].heat = 1;
        flow.move(key, count);
      }
      if (dense) {
        showDensity(update.density);
        isFirst = true; // when chips are shown again, their connections were open before
      } else showChips(update, moves);
    },
    // One step of the animation: move the chips that are due.
    animate(now) {
      if (!lanes.length) return;
      for (const chip of chips.values()) if (chip.path.length || chip.gone) advance(chip, now);
      for (const lane of lanes) {
        settleRows(lane, now);
        lane.heat = lane.heat < 0.02 ? 0 : lane.heat * 0.93;
        const shown = Math.round(lane.heat * 20) / 20;
        if (shown !== lane.shown) lane.glow.style.opacity = lane.shown = shown;
      }
      if (!measured) measure();
      flow.animate(now);
    },
    resize() {
      measured = false;
    },
  };
};
