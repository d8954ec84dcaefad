// One dataset: every resample and seed as a dot, the learning curves, the cells.

function openDataset(d) {
  chosen.dataset = datasetName(d);
  chosen.method = "";
  showDrill();
  byId("drill").scrollIntoView({ block: "start" });
  byId("drill-title").focus({ preventScroll: true });
}

function showDrill() {
  const d = data.datasets.findIndex((dataset) => dataset.name === chosen.dataset);
  if (d < 0) return show("drill");
  const [from, to] = ranges[d],
    wanted = new Set(comparison.methods),
    cells = [];
  for (let cell = from; cell < to; cell++) if (wanted.has(data.arrays.method[cell])) cells.push(cell);
  const { name, archives, type, n_train, n_test, n_channels, n_timepoints, n_classes } = data.datasets[d];
  const facts = [
    archives?.length ? `in ${archives.join(", ")}` : null,
    type,
    n_train && `${n_train} training cases`,
    n_test && `${n_test} test cases`,
    n_channels && plural(n_channels, "channel"),
    n_timepoints && `${n_timepoints} time points`,
    n_classes && plural(n_classes, "class").replace("classs", "classes"),
  ].filter(Boolean);
  const close = () => {
    chosen.dataset = null;
    showDrill();
    byId("datasets-title").scrollIntoView();
  };
  show(
    "drill",
    make("h2", { id: "drill-title", tabindex: "-1" }, name),
    make("p", {}, facts.join(" · "), " ", button("Close", close, { "data-key": "drill-close" })),
    dots(cells, d),
    curvesOf(cells),
    cellTable(cells),
  );
}

// One line per method and one dot per result, lower for later seeds; the bar is the mean.
function dots(cells, d) {
  const { accuracy, status, method, run } = data.arrays,
    done = cells.filter((cell) => status[cell] === 0),
    theirs = (j) => external().methods[methodName(j)]?.scores[d] ?? NaN;
  if (!done.length) return make("p", {}, "No result yet.");
  const seeds = [...new Set(done.map((cell) => data.runs[run[cell]][1]))].sort((a, b) => a - b);
  const lines = comparison.methods.map((j) => ({
    j,
    cells: done.filter((cell) => method[cell] === j),
    text: wrapped(methodName(j), 26),
  }));
  const edge = 10 + Math.max(...lines.flatMap((line) => line.text.map((text) => textWidth(text, 13)))),
    width = widthOf("drill", edge + 220),
    w = width - edge - 20;
  const spread = Math.min(22, 5 * (seeds.length - 1)),
    tall = (line) => Math.max(line.text.length * LINE + 6, spread + 16);
  const reported = comparison.methods.map(theirs).filter(Number.isFinite);
  const values = [...done.map((cell) => accuracy[cell]), ...reported],
    low = Math.min(...values),
    high = Math.max(...values),
    pad = (high - low) * 0.05 || 0.01;
  const X = (value) => edge + 8 + (w * (value - low + pad)) / (high - low + 2 * pad);
  const parts = [];
  let y = 6;
  for (const line of lines) {
    const middle = y + tall(line) / 2;
    parts.push(svg("path", { class: "grid", d: `M${edge + 8},${middle}h${w}` }));
    line.text.forEach((text, k) =>
      parts.push(svg("text", { x: edge, y: middle + 4 + LINE * (k - (line.text.length - 1) / 2), "text-anchor": "end" }, text)),
    );
    for (const cell of line.cells) {
      const [resample, seed] = data.runs[run[cell]],
        shift = seeds.length > 1 ? spread * (seeds.indexOf(seed) / (seeds.length - 1) - 0.5) : 0;
      parts.push(
        marker(line.j, X(accuracy[cell]), middle + shift, `resample ${resample}, seed ${seed}: ${accuracy[cell].toFixed(4)}`, {
          class: `point faint c${line.j % N_COLOURS}`,
          "data-cell": cell,
          onclick: () => openCell(cell),
        }),
      );
    }
    if (Number.isFinite(theirs(line.j)))
      parts.push(
        marker(line.j, X(theirs(line.j)), middle, `reported: ${theirs(line.j).toFixed(4)}`, {
          class: `point hollow c${line.j % N_COLOURS}`,
        }),
      );
    if (line.cells.length > 1)
      parts.push(
        svg("path", {
          class: "mean",
          d: `M${X(mean(line.cells.map((cell) => accuracy[cell])))},${middle - tall(line) / 2 + 2}v${tall(line) - 4}`,
        }),
      );
    y += tall(line);
  }
  for (const tick of ticks(low - pad, high + pad))
    parts.push(
      svg("path", { class: "grid", d: `M${X(tick)},4V${y}` }),
      svg("text", { x: X(tick), y: y + 16, "text-anchor": "middle", class: "small" }, String(tick)),
    );
  return [
    make("h3", {}, "Every resample and seed"),
    figure("dots", `Accuracy of every resample and seed; the table below has the same numbers`, width, y + 24, parts),
    make(
      "p",
      { class: "caption" },
      `Accuracy; a dot is one result${seeds.length > 1 ? ", one line of dots a seed" : ""}, a bar the mean${reported.length ? ", a hollow mark what others report" : ""}. A dot opens its cell; so does the table below.`,
    ),
  ];
}

function curvesOf(cells) {
  const wanted = new Set(cells),
    found = new Map();
  let start = 0;
  for (const [cell, label, epochs, n, logarithmic, low, high, total] of data.curves.rows) {
    if (wanted.has(cell)) {
      const points = Array.from(data.arrays.points.subarray(start, start + n), (byte) => low + ((high - low) * byte) / 255);
      const entry = { label: data.curves.labels[label], epochs, points, logarithmic, low, high, total };
      found.set(cell, [...(found.get(cell) || []), entry]);
    }
    start += n;
  }
  if (!found.size) return make("p", {}, "No learning curves are on record.");
  const order = [...found.keys()].sort(
    (a, b) => comparison.methods.indexOf(data.arrays.method[a]) - comparison.methods.indexOf(data.arrays.method[b]),
  );
  return [
    make("h3", {}, "Learning curves"),
    make(
      "p",
      { class: "caption" },
      "Training loss over epochs (logarithmic, means of neighbouring epochs) of each method's first result; of many networks the first two and the last.",
    ),
    make(
      "div",
      { class: "multiples" },
      order.map((cell) => smallChart(cell, found.get(cell))),
    ),
  ];
}

function smallChart(cell, curves) {
  const width = 220,
    height = 110,
    left = 44,
    w = width - left - 8,
    h = height - 30;
  const logarithmic = curves.every((curve) => curve.logarithmic);
  const scaled = (curve) => (curve.logarithmic && !logarithmic ? curve.points.map(Math.exp) : curve.points);
  const values = curves.flatMap(scaled),
    low = Math.min(...values),
    high = Math.max(...values),
    longest = Math.max(...curves.map((curve) => curve.epochs));
  const Y = (value) => 8 + h - (h * (value - low)) / (high - low || 1),
    X = (curve, k) => left + (w * ((k + 0.5) / curve.points.length) * curve.epochs) / longest;
  const value = (end) => String(Number((logarithmic ? Math.exp(end) : end).toPrecision(2)));
  const [resample, seed] = data.runs[data.arrays.run[cell]],
    j = data.arrays.method[cell];
  const note = curves.length < curves[0].total ? `${curves.length} of ${curves[0].total} networks: ` : "";
  const parts = [
    svg("rect", { class: "frame", x: left, y: 8, width: w, height: h }),
    svg("text", { class: "small", x: left - 4, y: 16, "text-anchor": "end" }, value(high)),
    svg("text", { class: "small", x: left - 4, y: 8 + h, "text-anchor": "end" }, value(low)),
    svg("text", { class: "small", x: left + w, y: height - 8, "text-anchor": "end" }, plural(longest, "epoch")),
    curves.map((curve, k) =>
      svg(
        "path",
        {
          class: `curve c${j % N_COLOURS} dash${k}`,
          d: scaled(curve)
            .map((v, i) => `${i ? "L" : "M"}${X(curve, i).toFixed(1)},${Y(v).toFixed(1)}`)
            .join(""),
        },
        svg("title", {}, curve.label),
      ),
    ),
  ];
  return make(
    "figure",
    {},
    svg(
      "svg",
      {
        class: "figure",
        role: "img",
        "aria-label": `Learning curves of ${methodName(j)}`,
        width,
        height,
        viewBox: `0 0 ${width} ${height}`,
      },
      parts,
    ),
    make(
      "figcaption",
      {},
      make("strong", {}, methodName(j)),
      make("br"),
      `${note}${curves.map((curve) => curve.label).join(", ")}; resample ${resample}, seed ${seed}`,
    ),
  );
}

function cellTable(cells) {
  const { accuracy, status, method, run, finished } = data.arrays;
  const shown = cells.filter((cell) => !chosen.method || methodName(method[cell]) === chosen.method).map((cell) => ({ cell }));
  const columns = [
    {
      key: "method",
      title: "method",
      left: true,
      head: true,
      text: ({ cell }) => methodName(method[cell]),
      cell: ({ cell }) =>
        button(breakable(methodName(method[cell])), () => openCell(cell), {
          class: "link",
          title: "Provenance of this number",
          "data-key": `cell-${cell}`,
        }),
    },
    {
      key: "resample",
      title: "resample",
      text: ({ cell }) => String(data.runs[run[cell]][0]),
      value: ({ cell }) => data.runs[run[cell]][0],
    },
    {
      key: "seed",
      title: "seed",
      text: ({ cell }) => String(data.runs[run[cell]][1]),
      value: ({ cell }) => data.runs[run[cell]][1],
    },
    {
      key: "accuracy",
      title: "accuracy",
      descending: true,
      text: ({ cell }) => decimals(status[cell] === 0 ? accuracy[cell] : NaN, 4),
      value: ({ cell }) => (status[cell] === 0 ? accuracy[cell] : NaN),
    },
    { key: "status", title: "status", left: true, text: ({ cell }) => data.statuses[status[cell]] },
    { key: "finished", title: "finished", left: true, text: ({ cell }) => when(finished[cell]) },
    {
      key: "command",
      title: "command",
      left: true,
      style: () => "reason",
      text: ({ cell }) => plainText(data.provenances[data.arrays.provenance[cell]].command ?? "–"),
    },
  ];
  const names = comparison.methods.map((j) => methodName(j)).filter((name) => !external().methods[name]);
  return [
    make("h3", {}, "Cells"),
    make(
      "div",
      { class: "fields" },
      select("Method", chosen.method, [["", "all"], ...names.map((name) => [name, name])], (value) => {
        chosen.method = value;
        showDrill();
      }),
    ),
    table("cells", columns, shown, {
      sort: chosen.sort.cells,
      caption: `Cells of ${chosen.dataset}`,
      onsort: (sort) => {
        chosen.sort.cells = sort;
        showDrill();
      },
    }),
  ];
}
