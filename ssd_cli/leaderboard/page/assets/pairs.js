// All pairs of methods: the multi-comparison matrix, a table, and the scatter plot of one pair.

function showPairs() {
  const title = heading("pairs", "Pairs of methods"),
    n = comparison.methods.length;
  if (n < 2 || !comparison.datasets.length) return show("pairs", title, make("p", {}, "It takes two methods and a dataset."));
  const place = (name, otherwise) => {
    const found = comparison.names.indexOf(name);
    return found < 0 ? otherwise : found;
  };
  let first = place(chosen.first, 0),
    second = place(chosen.second, 1);
  if (first === second) second = first === 0 ? 1 : 0;
  show(
    "pairs",
    title,
    make(
      "p",
      {},
      "Rows against columns: difference of the mean accuracies in points, wins/ties/losses of the row, p after Holm's correction; bold where they differ. Arrow keys move, Enter shows the pair below.",
    ),
    matrix(first, second),
    pairTable(),
    scatter(first, second),
  );
}

const difference = (i, j) => 100 * mean(comparison.scores.map((row) => row[i] - row[j]).filter((gap) => !Number.isNaN(gap)));

function choosePair(i, j) {
  [chosen.first, chosen.second] = [comparison.names[i], comparison.names[j]];
  showPairs();
}

function matrix(first, second) {
  const { names, methods, contests: counts, tests } = comparison,
    n = names.length;
  const gaps = names.map((_, i) => names.map((_, j) => (i === j ? 0 : difference(i, j))));
  const largest = Math.max(1e-9, ...gaps.flat().map(Math.abs).filter(Number.isFinite));
  const cellOf = (i, j) => {
    if (i === j) return make("td", { class: "diagonal" });
    const shade = Math.min(4, Math.ceil((4 * Math.abs(gaps[i][j])) / largest)) || 0;
    const text = `${gaps[i][j] > 0 ? "+" : gaps[i][j] < 0 ? "−" : ""}${decimals(Math.abs(gaps[i][j]), 2)}`;
    const score = `${counts.wins[i][j]}/${counts.ties[i][j]}/${counts.losses[i][j]}`,
      p = `p ${pText(tests.adjusted[i][j])}`;
    const here = i === first && j === second;
    return make(
      "td",
      {
        tabindex: here ? "0" : "-1",
        "data-key": `matrix-${i}-${j}`,
        "aria-label": `${names[i]} against ${names[j]}: ${text} points, ${score}, ${p}`,
        "aria-selected": String(here),
        class: `${gaps[i][j] > 0 ? "up" : "down"}${shade} ${tests.different[i][j] ? "different" : ""}`,
        role: "gridcell",
        onclick: (event) => {
          event.currentTarget.focus();
          choosePair(i, j);
        },
      },
      make("div", {}, text),
      make("small", {}, score),
      make("small", {}, p),
    );
  };
  const head = make(
    "tr",
    {},
    make("td"),
    names.map((name, j) => make("th", { scope: "col" }, breakable(name, 18, key(methods[j])))),
  );
  const rows = names.map((name, i) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "left" }, breakable(name, narrow() ? 14 : 26, key(methods[i]))),
      names.map((_, j) => cellOf(i, j)),
    ),
  );
  const move = (event) => {
    const match = /^matrix-(\d+)-(\d+)$/.exec(document.activeElement.dataset.key || "");
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!match) return;
    let [i, j] = [Number(match[1]), Number(match[2])];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return choosePair(i, j);
    }
    if (!step) return;
    event.preventDefault();
    do [i, j] = [i + step[0], j + step[1]];
    while (i === j && i >= 0 && i < n);
    event.currentTarget.querySelector(`[data-key="matrix-${i}-${j}"]`)?.focus();
  };
  return make(
    "div",
    { class: "scroll", "data-scroll": "matrix" },
    make(
      "table",
      { id: "matrix", class: "matrix", role: "grid", "aria-label": "Multi-comparison matrix", onkeydown: move },
      make("thead", {}, head),
      make("tbody", {}, rows),
    ),
  );
}

function pairTable() {
  const { names, contests: counts, tests } = comparison,
    others = otherTests(data, comparison),
    rows = [];
  for (let i = 0; i < names.length; i++) for (let j = i + 1; j < names.length; j++) rows.push({ i, j });
  const columns = [
    {
      key: "first",
      title: "first",
      about: "The better ranked",
      left: true,
      head: true,
      text: (row) => names[row.i],
      cell: (row) =>
        button(breakable(names[row.i]), () => choosePair(row.i, row.j), {
          class: "link",
          "data-key": `pair-${names[row.i]}-${names[row.j]}`,
        }),
    },
    { key: "second", title: "second", left: true, text: (row) => names[row.j], cell: (row) => breakable(names[row.j]) },
    {
      key: "difference",
      title: "points",
      about: "Difference of the mean accuracies in points",
      descending: true,
      value: (row) => difference(row.i, row.j),
      text: (row) => decimals(difference(row.i, row.j), 2),
    },
    {
      key: "wins",
      title: "w/t/l",
      about: "Wins, ties and losses of the first",
      descending: true,
      value: (row) => counts.wins[row.i][row.j],
      text: (row) => ["wins", "ties", "losses"].map((kind) => counts[kind][row.i][row.j]).join("/"),
    },
    {
      key: "p",
      title: "p",
      about: "Wilcoxon, two-sided",
      value: (row) => tests.p[row.i][row.j],
      text: (row) => tests.p[row.i][row.j].toFixed(4),
    },
    {
      key: "p_holm",
      title: "p (Holm)",
      about: "After the correction over all pairs",
      value: (row) => tests.adjusted[row.i][row.j],
      text: (row) => tests.adjusted[row.i][row.j].toFixed(4),
    },
    { key: "different", title: "different", left: true, text: (row) => (tests.different[row.i][row.j] ? "yes" : "no") },
    ...others.map((test) => ({
      key: `p_${test.name}`,
      title: `p (${test.name})`,
      about: test.sentence,
      value: (row) => test.of(row.i, row.j).p,
      text: (row) => test.of(row.i, row.j).p.toFixed(4),
      style: (row) => (test.of(row.i, row.j).different ? "best" : ""),
    })),
  ];
  const open = byId("pair-table")?.open;
  return make(
    "details",
    { id: "pair-table", open },
    make("summary", { "data-key": "pair-table" }, `All ${rows.length === 1 ? "1 pair" : `${rows.length} pairs`} as a table`),
    table("pairs", columns, rows, {
      sort: chosen.sort.pairs,
      caption: "Pairs of methods",
      onsort: (sort) => {
        chosen.sort.pairs = sort;
        showPairs();
      },
      csv: (column, row) => (column.key === "wins" ? column.text(row) : undefined),
    }),
    others.map((test) => make("p", { class: "caption" }, `p (${test.name}), bold where the pair differs: ${test.sentence}`)),
    data.tests.length && !others.length
      ? make("p", { class: "caption" }, `Other tests are shown for all results at alpha ${data.tests[0].alpha}; reset the filters to see them.`)
      : null,
  );
}

function scatter(first, second) {
  const { names, scores, compared, datasets, contests: counts } = comparison;
  const points = datasets
    .map((d, k) => ({ d, x: scores[k][second], y: scores[k][first], gap: compared[k][first] - compared[k][second] }))
    .filter((point) => !Number.isNaN(point.x + point.y));
  const options = names.map((name, i) => [i, name]);
  const choices = make(
    "div",
    { class: "fields" },
    select("Upwards", first, options, (i) => choosePair(Number(i), second)),
    select("To the right", second, options, (j) => choosePair(first, Number(j))),
  );
  const width = Math.min(560, widthOf("pairs", 300)),
    edge = 52,
    side = width - edge - 14;
  const values = points.flatMap((point) => [point.x, point.y]);
  const low = Math.min(...values),
    high = Math.max(...values),
    pad = (high - low) * 0.04 || 0.02;
  const at = (value) => (side * (value - low + pad)) / (high - low + 2 * pad);
  const X = (value) => edge + at(value),
    Y = (value) => 10 + side - at(value);
  const parts = [
    svg("rect", { class: "frame", x: edge, y: 10, width: side, height: side }),
    svg("path", { class: "guide", d: `M${edge},${10 + side}L${edge + side},10` }),
  ];
  for (const tick of ticks(low - pad, high + pad)) {
    parts.push(
      svg("text", { x: X(tick), y: side + 26, "text-anchor": "middle", class: "small" }, String(tick)),
      svg("text", { x: edge - 6, y: Y(tick) + 4, "text-anchor": "end", class: "small" }, String(tick)),
    );
    parts.push(svg("path", { class: "grid", d: `M${X(tick)},10v${side}M${edge},${Y(tick)}h${side}` }));
  }
  const shorten = (name) => (name.length > 44 ? `${name.slice(0, 43)}…` : name);
  parts.push(
    svg("text", { x: edge + side / 2, y: side + 46, "text-anchor": "middle" }, `accuracy of ${shorten(names[second])}`),
    svg(
      "text",
      { x: -(10 + side / 2), y: 14, transform: "rotate(-90)", "text-anchor": "middle" },
      `accuracy of ${shorten(names[first])}`,
    ),
  );
  for (const point of points) {
    const kind = point.gap > rules.tie ? 0 : -point.gap > rules.tie ? 1 : 2;
    parts.push(
      svg(
        "circle",
        { cx: X(point.x), cy: Y(point.y), r: 4.5, class: `point dot${kind}`, onclick: () => openDataset(point.d) },
        svg("title", {}, `${datasetName(point.d)}: ${point.y.toFixed(4)} against ${point.x.toFixed(4)}`),
      ),
    );
  }
  const byGap = [...points].sort((a, b) => b.gap - a.gap);
  const extreme = (list, sign) =>
    list
      .filter((point) => sign * point.gap > rules.tie)
      .slice(0, 5)
      .map((point) =>
        make(
          "li",
          {},
          button(datasetName(point.d), () => openDataset(point.d), { class: "link" }),
          ` ${point.y > point.x ? "+" : "−"}${(100 * Math.abs(point.y - point.x)).toFixed(2)} points`,
        ),
      );
  const [up, down] = [extreme(byGap, 1), extreme([...byGap].reverse(), -1)];
  const label = `${names[first]} against ${names[second]}: wins/ties/losses ${["wins", "ties", "losses"].map((kind) => counts[kind][first][second]).join("/")}`;
  return [
    make("h3", { id: "scatter-title" }, label),
    choices,
    make(
      "div",
      { class: "beside" },
      points.length ? figure("scatter", label, width, side + 56, parts) : make("p", {}, "No dataset has both."),
      make(
        "div",
        {},
        up.length ? [make("h4", {}, `Most above: ${names[first]} wins`), make("ul", {}, up)] : null,
        down.length ? [make("h4", {}, `Most below: ${names[second]} wins`), make("ul", {}, down)] : null,
      ),
    ),
  ];
}
