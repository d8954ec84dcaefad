// The tables of datasets (properties, accuracy of every method) and of failed cells.

function showDatasets() {
  const place = new Map(comparison.datasets.map((d, k) => [d, k]));
  const { counts } = averages(data, comparison.runs),
    theirs = external().methods,
    score = accuracies(data, comparison.runs, theirs);
  const lack = (d, j) =>
    theirs[methodName(j)]
      ? make("span", { title: theirs[methodName(j)].gaps[datasetName(d)] ?? "No number in its source" }, "none")
      : `${counts[d * data.methods.length + j]} of ${comparison.runs.size}`;
  const best = new Map();
  const rows = [...comparison.datasets, ...comparison.leftOut].map((d) => ({ d, ranked: place.has(d) }));
  for (const { d } of rows) {
    const row = comparison.methods.map((j) => score(d, j));
    const [compared] = comparableScores(data, [row], [d], comparison.methods, theirs);
    const highest = Math.max(...compared.filter((value) => !Number.isNaN(value)));
    best.set(d, new Set(comparison.methods.filter((_, i) => highest - compared[i] <= rules.tie)));
  }
  const fact = (key_, title, about) => ({
    key: key_,
    title,
    about,
    text: (row) => String(data.datasets[row.d][key_] ?? "–"),
    value: (row) => data.datasets[row.d][key_] ?? NaN,
  });
  const columns = [
    {
      key: "name",
      csv: "dataset",
      title: "dataset",
      about: "Opens its seeds, resamples and learning curves",
      left: true,
      head: true,
      text: (row) => datasetName(row.d),
      cell: (row) => [
        button(breakable(datasetName(row.d)), () => openDataset(row.d), {
          class: "link",
          "data-key": `dataset-${datasetName(row.d)}`,
        }),
        row.ranked ? null : make("small", { title: "Results are missing; not ranked" }, " left out"),
      ],
    },
    ...comparison.methods.map((j) => ({
      key: methodName(j),
      title: methodName(j),
      mark: key(j),
      about: `Accuracy of ${methodName(j)}`,
      descending: true,
      value: (row) => score(row.d, j),
      text: (row) => decimals(score(row.d, j), 4),
      cell: (row) => (Number.isNaN(score(row.d, j)) ? lack(row.d, j) : decimals(score(row.d, j), 4)),
      style: (row) => (best.get(row.d).has(j) ? "best" : Number.isNaN(score(row.d, j)) ? "absent" : ""),
    })),
  ];
  const known = [
    { key: "type", title: "type", left: true, text: (row) => data.datasets[row.d].type || "–" },
    fact("n_train", "train", "Training cases of the archive's split"),
    fact("n_timepoints", "length", "Of the longest series"),
    fact("n_classes", "classes", "Number of classes"),
  ].filter((column) => rows.some((row) => data.datasets[row.d][column.key] !== undefined));
  columns.splice(narrow() ? columns.length : 1, 0, ...known); // on a phone the numbers come first
  show(
    "datasets",
    heading("datasets", "Datasets"),
    make(
      "p",
      {},
      "Accuracy, mean over resamples and seeds; the best of a dataset is bold. A dataset's name opens its results one by one.",
    ),
    rows.length
      ? table("datasets", columns, rows, {
          sort: chosen.sort.datasets,
          caption: "Accuracy by dataset",
          onsort: (sort) => {
            chosen.sort.datasets = sort;
            showDatasets();
          },
        })
      : make("p", {}, "No dataset is chosen."),
  );
}

function showFailures() {
  const rows = data.failures.map(([cell, reason, trace]) => ({
    cell,
    reason: data.failureTexts[reason],
    trace: data.failureTexts[trace],
  }));
  const run = (row, k) => data.runs[data.arrays.run[row.cell]][k];
  const columns = [
    {
      key: "dataset",
      title: "dataset",
      left: true,
      head: true,
      text: (row) => datasetName(data.arrays.dataset[row.cell]),
      cell: (row) =>
        button(breakable(datasetName(data.arrays.dataset[row.cell])), () => openCell(row.cell), {
          class: "link",
          "data-key": `failure-${row.cell}`,
        }),
    },
    {
      key: "method",
      title: "method",
      left: true,
      text: (row) => methodName(data.arrays.method[row.cell]),
      cell: (row) => breakable(methodName(data.arrays.method[row.cell])),
    },
    { key: "resample", title: "resample", text: (row) => String(run(row, 0)), value: (row) => run(row, 0) },
    { key: "seed", title: "seed", text: (row) => String(run(row, 1)), value: (row) => run(row, 1) },
    { key: "status", title: "status", left: true, text: (row) => data.statuses[data.arrays.status[row.cell]] },
    { key: "reason", title: "reason", left: true, style: () => "reason", text: (row) => row.reason },
  ];
  show(
    "failures",
    heading("failures", "Failed and skipped cells"),
    rows.length
      ? table("failures", columns, rows, {
          sort: chosen.sort.failures,
          caption: "Failed and skipped cells",
          onsort: (sort) => {
            chosen.sort.failures = sort;
            showFailures();
          },
        })
      : make("p", {}, "None: every cell on record has a result."),
  );
}
