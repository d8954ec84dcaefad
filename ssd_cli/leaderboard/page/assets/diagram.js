// The critical-difference diagram: best on the right, a line from each average rank to its name, a bar over each group.

const LINE = 16,
  AXIS = 42;

function showDiagram() {
  const title = heading("diagram", "Critical differences");
  const { names, averageRanks: ranks, methods } = comparison;
  if (names.length < 2 || !comparison.datasets.length)
    return show("diagram", title, make("p", {}, "It takes two methods and a dataset."));
  const texts = names.map((name, i) => {
    const lines = wrapped(name);
    lines[lines.length - 1] += `  ${ranks[i].toFixed(2)}`;
    return lines;
  });
  const nRight = Math.ceil(names.length / 2);
  const widest = (part) => Math.max(0, ...part.flat().map((line) => textWidth(line)));
  const left = widest(texts.slice(nRight)) + 30,
    right = widest(texts.slice(0, nRight)) + 30;
  const low = Math.floor(Math.min(...ranks) + 1e-9),
    high = Math.max(low + 1, Math.ceil(Math.max(...ranks) - 1e-9));
  const width = widthOf("diagram", left + right + Math.max(150, 14 * (high - low))),
    end = width - right;
  const x = (rank) => left + ((end - left) * (high - rank)) / (high - low);
  const every = [1, 2, 5, 10].find((step) => (step * (end - left)) / (high - low) >= 24) || 20;
  const parts = [svg("path", { class: "axis", d: `M${left},${AXIS}H${end}` })];
  for (let rank = low; rank <= high; rank++) {
    parts.push(svg("path", { class: "axis", d: `M${x(rank)},${AXIS}v-7` }));
    if ((rank - low) % every === 0) parts.push(svg("text", { x: x(rank), y: AXIS - 11, "text-anchor": "middle" }, String(rank)));
    if (rank < high) parts.push(svg("path", { class: "axis thin", d: `M${x(rank + 0.5)},${AXIS}v-4` }));
  }
  parts.push(
    svg("text", { x: (left + end) / 2, y: 12, "text-anchor": "middle", class: "small" }, "average rank, best on the right"),
  );
  const bars = barsOf(ranks.map(x));
  const top = AXIS + 26 + 10 * (1 + Math.max(-1, ...bars.map((bar) => bar.level)));
  let bottom = top;
  const side = (places, anchor, border) => {
    let y = top;
    for (const i of places) {
      parts.push(svg("path", { class: "lead", d: `M${x(ranks[i])},${AXIS}V${y}H${border}` }));
      texts[i].forEach((line, k) =>
        parts.push(
          svg(
            "text",
            { class: "name", x: border + (anchor === "start" ? 6 : -6), y: y + 4 + LINE * k, "text-anchor": anchor },
            line,
          ),
        ),
      );
      y += LINE * texts[i].length + 5;
    }
    bottom = Math.max(bottom, y);
  };
  side(names.map((_, i) => i).slice(0, nRight), "start", end + 14);
  side(
    names
      .map((_, i) => i)
      .slice(nRight)
      .reverse(),
    "end",
    left - 14,
  );
  for (const bar of bars)
    parts.push(
      svg("path", { class: "bar", d: `M${bar.start},${AXIS + 11 + 10 * bar.level}H${bar.end}` }, svg("title", {}, bar.title)),
    );
  methods.forEach((j, i) => parts.push(marker(j, x(ranks[i]), AXIS, `${names[i]}: ${ranks[i].toFixed(3)}`)));
  show(
    "diagram",
    title,
    verdict(),
    figure("diagram", "Critical-difference diagram; the leaderboard has the same numbers", width, bottom, parts),
  );
}

// Bars extend a little beyond their ends, not to the next method; bars that would touch get different levels.
function barsOf(x) {
  const bars = [];
  const over = (at, beyond) => (beyond >= 0 && beyond < x.length ? Math.min(5, 0.4 * Math.abs(x[at] - x[beyond])) : 5);
  for (const [first, last] of comparison.cliques) {
    if (first === last) continue;
    const start = x[last] - over(last, last + 1),
      end = x[first] + over(first, first - 1);
    let level = 0;
    while (bars.some((bar) => bar.level === level && start < bar.end + 8 && bar.start - 8 < end)) level++;
    bars.push({ start, end, level, title: comparison.names.slice(first, last + 1).join(", ") });
  }
  return bars;
}
