// The leaderboard with its caption.

function showLeaderboard() {
  const total = (grid, i) => sum(grid[i]);
  const rows = comparison.methods.map((j, place) => ({ j, place }));
  const beside = besides(data, comparison);
  const columns = [
    { key: "place", title: "#", about: "Place by average rank", text: (row) => String(row.place + 1), value: (row) => row.place },
    {
      key: "method",
      title: "method",
      about: "Method, by backbone where there are several",
      left: true,
      head: true,
      text: (row) => methodName(row.j),
      cell: (row) =>
        button(breakable(methodName(row.j), 32, key(row.j)), () => openMethod(row.j), {
          class: "link",
          title: "Provenance of its numbers",
          "data-key": `row-${methodName(row.j)}`,
        }),
    },
    {
      key: "rank",
      title: "rank",
      about: "Average rank over the datasets, 1 is best",
      text: (row) => decimals(comparison.averageRanks[row.place], 3),
      value: (row) => comparison.averageRanks[row.place],
    },
    {
      key: "accuracy",
      title: data.score.title,
      about: `Mean ${data.score.title} over the datasets`,
      descending: descends(data.score),
      text: (row) => formatted(comparison.meanScores[row.place], data.score),
      value: (row) => comparison.meanScores[row.place],
    },
    {
      key: "datasets",
      title: "datasets",
      about: "Datasets behind the mean",
      descending: true,
      text: (row) => String(comparison.nScores[row.place]),
      value: (row) => comparison.nScores[row.place],
    },
    {
      key: "wins",
      title: "w/t/l",
      about: "Wins, ties and losses against all other methods",
      descending: true,
      value: (row) => total(comparison.contests.wins, row.place),
      text: (row) => ["wins", "ties", "losses"].map((kind) => total(comparison.contests[kind], row.place)).join("/"),
    },
    {
      key: "group",
      title: "group",
      about: "Methods that share a letter cannot be told apart",
      left: true,
      text: (row) => comparison.letters[row.place],
    },
    ...beside
      .filter((column) => chosen.columns.has(column.key))
      .map((column) => ({
        ...column,
        about: `${column.about}; mean over the chosen resamples and seeds`,
        descending: descends(column),
        value: (row) => column.values[row.place],
        text: (row) => formatted(column.values[row.place], column),
      })),
  ];
  const boxes = beside.map((column) =>
    make(
      "label",
      { class: "check", title: column.about },
      make("input", {
        type: "checkbox",
        checked: chosen.columns.has(column.key),
        "data-key": `column-${column.key}`,
        onchange: (event) => {
          event.target.checked ? chosen.columns.add(column.key) : chosen.columns.delete(column.key);
          showLeaderboard();
        },
      }),
      column.title,
    ),
  );
  const open = byId("columns")?.open;
  show(
    "leaderboard",
    heading("leaderboard", "Leaderboard"),
    comparison.names.some((name) => external().methods[name])
      ? external().warnings.map((text) => make("p", { class: "warning" }, text))
      : null,
    verdict(),
    table("leaderboard", columns, rows, {
      sort: chosen.sort.leaderboard,
      caption: "Leaderboard",
      onsort: (sort) => {
        chosen.sort.leaderboard = sort;
        showLeaderboard();
      },
      csv: (column, row) => (column.key === "place" ? row.place + 1 : column.key === "wins" ? column.text(row) : undefined),
    }),
    boxes.length
      ? make(
          "details",
          { id: "columns", open },
          make("summary", { "data-key": "columns" }, "Columns"),
          make("div", { class: "checks" }, boxes),
        )
      : null,
    make(
      "div",
      { class: "caption" },
      captionLines().map((line) => make("p", {}, line)),
    ),
  );
}

// A warning if no comparison or no significant difference is possible.
function verdict() {
  const { datasets, tests, methods } = comparison,
    n = datasets.length;
  if (!methods.length) return make("p", { class: "warning" }, "No method is chosen.");
  if (!n)
    return make(
      "p",
      { class: "warning" },
      comparison.leftOut.length
        ? `No dataset is left: every one of the ${comparison.leftOut.length} chosen ones lacks a result of ${chosen.policy === "complete" ? "some" : "each"} method. Choose fewer methods, or single resamples or seeds.`
        : "No dataset is chosen.",
    );
  if (methods.length > 1 && !tests.enough)
    return make(
      "p",
      { class: "warning" },
      `${plural(n, "dataset")} ${n === 1 ? "is" : "are"} too few for ${plural(tests.nPairs, "pair")}: with fewer than ${tests.needed} no difference can be significant after the correction.`,
    );
  return null;
}

function listed(values) {
  const all = [...new Set(values)].sort((a, b) => a - b);
  const run = all.length > 2 && all[all.length - 1] - all[0] === all.length - 1;
  return run ? `${all[0]}–${all[all.length - 1]}` : all.join(", ");
}

function captionLines() {
  const { datasets, runs, leftOut, nMissing, nAll, tests, alpha } = comparison,
    n = datasets.length;
  const pairs = [...runs].map((k) => data.runs[k]);
  const results = runs.size === 1 ? "one result" : `mean of ${runs.size} results`;
  const lines = [
    `Accuracy on ${plural(n, "dataset")}, ${results} each (resample ${listed(pairs.map(([r]) => r))}, seed ${listed(pairs.map(([, s]) => s))}); averaged first, then ranked, 1 is best.`,
  ];
  const some = leftOut.slice(0, 5).map(datasetName).join(", ") + (leftOut.length > 5 ? `, ${leftOut.length - 5} more` : "");
  lines.push(
    `Missing results (${chosen.policy === "complete" ? "leave the dataset out for all methods" : "rank the method last on the dataset"}): ` +
      (nMissing ? `${nMissing} of ${nAll}${leftOut.length ? `; left out: ${some}` : ""}.` : "none."),
  );
  if (comparison.friedman)
    lines.push(
      `Friedman's test over all methods: chi-squared ${comparison.friedman.statistic.toFixed(2)}, ${comparison.friedman.degrees} degrees of freedom, p ${pText(comparison.friedman.p)}; reported, not a gate for the pairs.`,
    );
  if (tests.nPairs) {
    const how =
      tests.nExact === tests.nPairs
        ? "exact"
        : tests.nExact
          ? `exact for ${tests.nExact} of the pairs, else normal approximation`
          : "normal approximation without continuity correction";
    lines.push(
      `Wilcoxon signed-rank test, two-sided, zeros by Pratt, ${how}; Holm's step-down correction over ${plural(tests.nPairs, "pair")}; alpha ${alpha}.`,
      data.rules.cliques,
    );
  }
  const apart = comparison.unjoined
    .filter(() => tests.enough)
    .slice(0, 5)
    .map(([i, j]) => `${comparison.names[i]} and ${comparison.names[j]}`);
  if (apart.length)
    lines.push(
      `Not different either, though not joined: ${apart.join("; ")}${comparison.unjoined.length > 5 ? `; ${comparison.unjoined.length - 5} more in the table of pairs` : ""}.`,
    );
  for (const [name, { protocol, source }] of Object.entries(external().methods))
    if (comparison.names.includes(name)) lines.push(`${name}: ${protocol}; ${source}.`);
  lines.push(...external().notes);
  return lines;
}
