// Accuracy against a chosen cost, with the Pareto front.

function showCosts() {
  const title = heading("costs", "Accuracy against cost"),
    costs = besides(data, comparison).filter((column) => column.kind === "cost");
  if (!costs.length || !comparison.datasets.length)
    return show("costs", title, make("p", {}, "No costs are on record for what is chosen."));
  const cost =
    costs.find((column) => column.key === chosen.cost) || costs.find((column) => column.key === data.cost) || costs[0];
  const accuracies = completeMeans(comparison),
    comparable = !isTime(cost) || timesCompare(data, comparison);
  const points = comparison.methods
    .map((j, i) => ({ j, name: comparison.names[i], x: cost.values[i], y: accuracies[i] }))
    .filter((point) => Number.isFinite(point.x + point.y));
  const choices = make(
    "div",
    { class: "fields" },
    select(
      "Cost",
      cost.key,
      costs.map((column) => [column.key, column.unit && column.unit !== "×" ? `${column.title} (${column.unit})` : column.title]),
      (value) => {
        chosen.cost = value;
        showCosts();
      },
    ),
  );
  const note = make(
    "p",
    {},
    `${cost.title}: ${cost.about}; mean over the chosen resamples and seeds, then over the datasets that all completed. ${
      comparable
        ? "Filled and joined: methods that no other beats in both (the Pareto front)."
        : "No front is drawn: these times were taken on different devices, with different numbers of threads or different executions of one backbone."
    }`,
  );
  if (!points.length)
    return show("costs", title, choices, make("p", {}, "No method has this cost on every dataset that is shown."));
  for (const point of points) {
    point.front =
      comparable &&
      !points.some(
        (other) => other.x <= point.x && other.y >= point.y - rules.tie && (other.x < point.x || other.y > point.y + rules.tie),
      );
  }
  show(
    "costs",
    title,
    choices,
    note,
    paretoFigure(points, cost),
    comparable &&
      make(
        "p",
        {},
        "On the front: ",
        points
          .filter((point) => point.front)
          .sort((a, b) => a.x - b.x)
          .map((point) => `${point.name} (${formatted(point.x, cost)}, ${point.y.toFixed(4)})`)
          .join("; "),
        ".",
      ),
  );
}

function paretoFigure(points, cost) {
  const width = widthOf("costs", 340),
    edge = 66,
    height = Math.max(300, Math.min(460, width * 0.6)),
    w = width - edge - 16,
    h = height - 56;
  const logarithmic = points.every((point) => point.x > 0),
    scale = (value) => (logarithmic ? Math.log10(value) : value);
  const xs = points.map((point) => scale(point.x)),
    ys = points.map((point) => point.y);
  const range = (values, least) => {
    const low = Math.min(...values),
      high = Math.max(...values),
      pad = Math.max(least, (high - low) * 0.12);
    return [low - pad, high + pad];
  };
  const [left, right] = range(xs, logarithmic ? 0.05 : 1e-6),
    [bottom, top] = range(ys, 0.002);
  const X = (value) => edge + (w * (scale(value) - left)) / (right - left),
    Y = (value) => 10 + h - (h * (value - bottom)) / (top - bottom);
  const parts = [svg("rect", { class: "frame", x: edge, y: 10, width: w, height: h })];
  for (const tick of logarithmic ? ticks(10 ** left, 10 ** right, true) : ticks(left, right))
    parts.push(
      svg("path", { class: "grid", d: `M${X(tick)},10v${h}` }),
      svg("text", { x: X(tick), y: h + 27, "text-anchor": "middle", class: "small" }, formatted(tick, cost)),
    );
  for (const tick of ticks(bottom, top))
    parts.push(
      svg("path", { class: "grid", d: `M${edge},${Y(tick)}h${w}` }),
      svg("text", { x: edge - 6, y: Y(tick) + 4, "text-anchor": "end", class: "small" }, String(tick)),
    );
  parts.push(
    svg(
      "text",
      { x: edge + w / 2, y: height - 4, "text-anchor": "middle" },
      `${cost.title}${logarithmic ? " (logarithmic)" : ""}`,
    ),
    svg("text", { x: -(10 + h / 2), y: 14, transform: "rotate(-90)", "text-anchor": "middle" }, "mean accuracy"),
  );
  const front = points.filter((point) => point.front).sort((a, b) => a.x - b.x);
  parts.push(
    svg("path", {
      class: "front",
      d: front.map((point, k) => (k ? `V${Y(point.y)}H${X(point.x)}` : `M${X(point.x)},${Y(point.y)}`)).join(""),
    }),
  );
  parts.push(
    points.map((point) =>
      marker(point.j, X(point.x), Y(point.y), `${point.name}: ${formatted(point.x, cost)}, accuracy ${point.y.toFixed(4)}`, {
        class: `point c${point.j % N_COLOURS}${point.front ? "" : " hollow"}`,
      }),
    ),
  );
  return figure(
    "costs",
    `Mean accuracy against ${cost.title}; the leaderboard has the same numbers`,
    width,
    height,
    parts,
    placedLabels(points, X, Y, edge, width, h),
  );
}

// Names at the first free of eight places beside their points; without one the name is only in the tooltip.
function placedLabels(points, X, Y, left, right, h) {
  const boxes = points.map((point) => [X(point.x) - 6, Y(point.y) - 6, X(point.x) + 6, Y(point.y) + 6]);
  const labels = [];
  for (const point of [...points].sort((a, b) => b.front - a.front)) {
    const text = point.name.length > 30 ? `${point.name.slice(0, 29)}…` : point.name,
      wide = textWidth(text, 12) + 2;
    const x = X(point.x),
      y = Y(point.y);
    const places = [
      [x + 8, y + 4],
      [x - 8 - wide, y + 4],
      [x - wide / 2, y - 9],
      [x - wide / 2, y + 18],
      [x + 7, y - 8],
      [x + 7, y + 16],
      [x - 7 - wide, y - 8],
      [x - 7 - wide, y + 16],
    ];
    for (const [at, base] of places) {
      const box = [at, base - 11, at + wide, base + 3];
      if (box[0] < left || box[2] > right || box[1] < 10 || box[3] > h + 10) continue;
      if (
        boxes.some(
          (other) =>
            box[0] < other[2] &&
            other[0] < box[2] &&
            box[1] < other[3] &&
            other[1] < box[3] &&
            !(other[0] === x - 6 && other[1] === y - 6),
        )
      )
        continue;
      boxes.push(box);
      labels.push(svg("text", { x: at, y: base, class: "label" }, text));
      break;
    }
  }
  return labels;
}
