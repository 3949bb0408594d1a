
// The transitions between states, drawn as arcs: faint for each transition of the state table, bright
// after a connection has made it, with a moving dot. Downward arcs bulge right, upward arcs left.

const makeFlow = (states, lanes) => {
  const MAX_DOTS = 150, DOT_TIME = 600; // milliseconds from one lane to another
  const canvas = find("flow");
  const brush = canvas.getContext("2d");
  const dots = [];
  let colours = [];
  let arcs = [];
  let isBlank = true;

  const fit = (places, height) => {
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(canvas.clientWidth * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
    colours = places.map(({ element }) => getComputedStyle(element).getPropertyValue("--state").trim());
    const middle = canvas.clientWidth / 2;
    const index = new Map(states.map(({ name }, place) => [name, place]));
    const heats = new Map(arcs.map((arc) => [arc.key, arc.heat]));
    arcs = states.flatMap(({ successors }, from) => successors.map((name) => {
      const to = index.get(name);
      const reach = (0.25 + (0.75 * Math.abs(to - from)) / (states.length - 1)) * (middle - 3) * 1.33;
      const key = moveKey(from, to);
      return {
        key, to, heat: heats.get(key) ?? 0, x: middle, bulge: middle + (to > from ? reach : -reach),
        y0: places[from].middle, y1: places[to].middle,
      };
    }));
    isBlank = true;
  };
  // A point of the cubic Bézier curve that drawArc draws; share is from 0 (its start) to 1 (its end).
  const pointOf = ({ x, bulge, y0, y1 }, share) => {
    const rest = 1 - share;
    const ends = rest ** 3 + 3 * rest ** 2 * share, other = 3 * rest * share ** 2 + share ** 3;
    const between = 3 * rest ** 2 * share + 3 * rest * share ** 2;
    return [x * (1 - between) + bulge * between, y0 * ends + y1 * other];
  };
  const drawArc = ({ to, heat, x, bulge, y0, y1 }, isDark) => {
    brush.strokeStyle = colours[to];
    brush.globalAlpha = (isDark ? 0.2 : 0.16) + heat * 0.8;
    brush.lineWidth = 1 + heat * 1.5;
    brush.beginPath();
    brush.moveTo(x, y0);
    brush.bezierCurveTo(bulge, y0, bulge, y1, x, y1);
    brush.stroke();
  };
  const paint = (now) => {
    const scale = devicePixelRatio || 1;
    brush.setTransform(scale, 0, 0, scale, 0, 0);
    brush.clearRect(0, 0, canvas.width / scale, canvas.height / scale);
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    for (const arc of arcs) drawArc(arc, isDark);
    brush.globalAlpha = 1;
    lanes.forEach(({ middle }, index) => {
      brush.fillStyle = colours[index];
      brush.beginPath();
      brush.arc(canvas.clientWidth / 2, middle, 3.5, 0, 7);
      brush.fill();
    });
    for (const { arc, begun } of dots) {
      if (now < begun) continue;
      const [x, y] = pointOf(arc, clamp((now - begun) / DOT_TIME, 0, 1));
      brush.fillStyle = colours[arc.to];
      brush.beginPath();
      brush.arc(x, y, 2.6, 0, 7);
      brush.fill();
    }
  };

  return {
    fit,
    move(key, count) {
      const arc = arcs.find((each) => each.key === key);
      if (!arc) return;
      arc.heat = 1;
      if (calm.matches) return;
      const now = performance.now();
      const several = Math.min(count, 4, MAX_DOTS - dots.length);
      for (let each = 0; each < several; each += 1) dots.push({ arc, begun: now + each * 60 });
    },
    animate(now) {
      let alive = 0;
      for (const dot of dots) if (now < dot.begun + DOT_TIME) dots[alive++] = dot;
      const isBusy = dots.length > 0 || arcs.some(({ heat }) => heat > 0);
      dots.length = alive;
      for (const arc of arcs) arc.heat = arc.heat < 0.02 ? 0 : arc.heat * 0.95;
      if (isBusy || isBlank) paint(now);
      isBlank = false;
    },
  };
};
