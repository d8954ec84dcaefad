// Unpacks the data of the page; averages, ranks and tests the chosen results. Needs no document, so that Node can test it.

async function unpack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const data = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { Uint8Array, Uint16Array, Uint32Array, Float32Array, Float64Array };
  for (const [name, place] of Object.entries(data.arrays)) {
    data.arrays[name] = new kinds[place.type](buffer, 4 + length + place.start, place.length);
  }
  return data;
}

function fromBase64(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// Range of the cells of each dataset, which are sorted by dataset: [first, past the last].
function cellRanges(data) {
  const ranges = data.datasets.map(() => [0, 0]);
  data.arrays.dataset.forEach((d, cell) => {
    if (ranges[d][1] === 0) ranges[d][0] = cell;
    ranges[d][1] = cell + 1;
  });
  return ranges;
}

// Sum of a number of the cells, and number of results, for every dataset x method over the chosen runs (pairs of resample and seed).
function averages(data, runs, values = data.arrays.accuracy) {
  const m = data.methods.length,
    size = data.datasets.length * m;
  const totals = new Float64Array(size),
    counts = new Uint32Array(size);
  const { dataset, method, run, status } = data.arrays;
  const chosen = data.runs.map((_, k) => runs.has(k));
  for (let cell = 0; cell < dataset.length; cell++) {
    if (status[cell] === 0 && chosen[run[cell]]) {
      totals[dataset[cell] * m + method[cell]] += values[cell];
      counts[dataset[cell] * m + method[cell]]++;
    }
  }
  return { totals, counts };
}

// Accuracy of a dataset and a method: the mean over the chosen runs if all of them exist; external results unchanged.
function accuracies(data, runs, external) {
  const { totals, counts } = averages(data, runs),
    m = data.methods.length;
  return (d, j) => {
    const theirs = external[data.methods[j].name];
    if (theirs) return theirs.scores[d] ?? NaN;
    return counts[d * m + j] === runs.size && runs.size ? totals[d * m + j] / runs.size : NaN;
  };
}

// The scores of some datasets and methods in the form in which they are compared.
function comparableScores(data, scores, datasets, methods, external) {
  const decimalsOf = (j) => external[data.methods[j].name]?.decimals ?? rules.decimals;
  return comparable(
    scores,
    methods.map(decimalsOf),
    datasets.map((d) => data.datasets[d].n_test ?? 0),
  );
}

// Missing scores become a value that loses to every score by more than any two scores differ.
function worstFilled(scores) {
  let lowest = Infinity,
    highest = -Infinity;
  for (const row of scores) {
    for (const score of row) {
      if (score < lowest) lowest = score;
      if (score > highest) highest = score;
    }
  }
  return scores.map((row) => row.map((score) => (Number.isNaN(score) ? lowest - 2 * (highest - lowest) - 1 : score)));
}

// The comparison of chosen datasets, methods (indices) and runs; the methods of the result are best first.
function compareChosen(data, { datasets, methods, runs, external, policy, alpha }) {
  const score = accuracies(data, runs, external);
  const all = datasets.map((d) => methods.map((j) => score(d, j)));
  const nMissing = sum(all.map((row) => row.filter(Number.isNaN).length));
  const out = all.map((row) => (policy === "complete" ? row.some(Number.isNaN) : row.every(Number.isNaN)));
  const ranked = datasets.filter((_, k) => !out[k]),
    leftOut = datasets.filter((_, k) => out[k]);
  const kept = all.filter((_, k) => !out[k]);
  const result = { datasets: ranked, leftOut, nMissing, nAll: datasets.length * methods.length, policy, alpha, runs };
  const averageOf = (rows) => methods.map((_, j) => (rows.length ? mean(rows.map((row) => row[j])) : NaN));
  const compared = comparableScores(data, kept, ranked, methods, external),
    filled = worstFilled(compared);
  const rounded = (values) => values.map((value) => Math.round(value * 1e9) / 1e9);
  const byRank = rounded(averageOf(rankScores(filled))),
    byMean = rounded(averageOf(filled));
  const order = methods
    .map((_, j) => j)
    .sort(
      (i, j) =>
        byRank[i] - byRank[j] ||
        byMean[j] - byMean[i] ||
        (data.methods[methods[i]].name < data.methods[methods[j]].name ? -1 : 1),
    );
  const ordered = (rows) => rows.map((row) => order.map((j) => row[j]));
  const n = methods.length;
  result.methods = order.map((j) => methods[j]);
  result.names = result.methods.map((j) => data.methods[j].name);
  result.scores = ordered(kept);
  result.compared = ordered(compared);
  result.filled = ordered(filled);
  result.ranks = rankScores(result.filled);
  result.averageRanks = order.map((_, j) => (kept.length ? mean(result.ranks.map((row) => row[j])) : NaN));
  result.completeDatasets = ranked.filter((_, k) => !kept[k].some(Number.isNaN));
  const there = (j) => result.scores.map((row) => row[j]).filter((score) => !Number.isNaN(score));
  result.nScores = order.map((_, j) => there(j).length);
  result.meanScores = order.map((_, j) => (there(j).length ? mean(there(j)) : NaN));
  result.contests = contests(result.filled, n);
  result.friedman = friedman(result.ranks, n);
  result.tests = comparePairs(result.filled, n, alpha);
  result.cliques = cliques(result.tests.different);
  result.letters = letters(result.cliques, n);
  result.unjoined = unjoined(result.tests.different, result.cliques);
  return result;
}

// A column averaged over the chosen runs: a row per dataset on which every compared method has a score, a column per method.
function columnTable(data, k, comparison) {
  const m = data.methods.length,
    n = data.arrays.dataset.length;
  const { totals, counts } = averages(data, comparison.runs, data.arrays.columns.subarray(k * n, (k + 1) * n));
  return comparison.completeDatasets.map((d) => comparison.methods.map((j) => totals[d * m + j] / counts[d * m + j]));
}

// Mean of a column for each method; NaN if one of these datasets lacks it, since means over different datasets are not compared.
const columnMeans = (data, k, comparison) => {
  const rows = columnTable(data, k, comparison);
  return comparison.methods.map((_, i) => (rows.length ? mean(rows.map((row) => row[i])) : NaN));
};

// Mean accuracy over the datasets that every compared method completed, as the means of costs.
function completeMeans(comparison) {
  const rows = comparison.scores.filter((row) => !row.some(Number.isNaN));
  return comparison.methods.map((_, i) => (rows.length ? mean(rows.map((row) => row[i])) : NaN));
}

// Whether all compared times were measured under the same conditions: per dataset one device, one number of threads and one execution
// of each backbone.
function timesCompare(data, comparison) {
  const { dataset, method, run, status, conditions } = data.arrays,
    [methods, datasets, seen] = [new Set(comparison.methods), new Set(comparison.datasets), new Map()];
  for (let cell = 0; cell < dataset.length; cell++) {
    const [d, j] = [dataset[cell], method[cell]];
    if (status[cell] !== 0 || !comparison.runs.has(run[cell]) || !methods.has(j) || !datasets.has(d)) continue;
    const { device, threads, execution } = data.conditions[conditions[cell]];
    for (const [within, value] of [
      [`${d}`, device],
      [`${d} ${device}`, threads],
      [`${d} ${device} ${data.methods[j].backbone}`, execution],
    ]) {
      if (!seen.has(within)) seen.set(within, value);
      else if (seen.get(within) !== value) return false;
    }
  }
  return true;
}

// The conditions (device, execution, threads) of every dataset x method over the chosen runs; NaN if they differ.
function conditionTable(data, comparison) {
  const m = data.methods.length,
    found = new Array(data.datasets.length * m);
  const { dataset, method, run, status, conditions } = data.arrays;
  for (let cell = 0; cell < dataset.length; cell++) {
    if (status[cell] !== 0 || !comparison.runs.has(run[cell])) continue;
    const place = dataset[cell] * m + method[cell];
    found[place] = [undefined, conditions[cell]].includes(found[place]) ? conditions[cell] : NaN;
  }
  return comparison.completeDatasets.map((d) => comparison.methods.map((j) => found[d * m + j]));
}

// Geometric mean of the ratio to the method single with the same backbone; of times only under the same conditions.
function relativeMeans(data, above, below, comparison) {
  const [rows, reference] = [columnTable(data, above, comparison), columnTable(data, below, comparison)];
  const conditions = isTime(data.columns[above]) ? conditionTable(data, comparison) : [];
  return comparison.methods.map((j, i) => {
    const base = comparison.methods.findIndex(
      (other) => data.methods[other].method === "single" && data.methods[other].backbone === data.methods[j].backbone,
    );
    if (base < 0 || !rows.length || !reference.every((row) => row[base] > 0)) return NaN;
    if (!conditions.every((row) => row[i] === row[base])) return NaN;
    const ratios = rows.map((row, d) => row[i] / reference[d][base]);
    return ratios.every((ratio) => ratio === 0)
      ? 0
      : Math.exp(mean(ratios.map((ratio) => Math.log(ratio < 1e-9 ? 1e-9 : ratio))));
  });
}

// Average rank among the methods of the same backbone that cost no more at inference than its single.
function matchedRanks(data, comparison, inference) {
  const rows = comparison.scores.filter((row) => !row.some(Number.isNaN)),
    backbone = (i) => data.methods[comparison.methods[i]].backbone;
  const ranks = new Array(comparison.methods.length).fill(NaN);
  for (const one of new Set(data.methods.map((method) => method.backbone))) {
    const matched = indices(inference, (ratio) => ratio <= rules.matched).filter((i) => backbone(i) === one);
    if (matched.length < 2 || !rows.length) continue;
    const among = rankScores(rows.map((row) => matched.map((i) => row[i])));
    matched.forEach((i, place) => {
      ranks[i] = mean(among.map((row) => row[place]));
    });
  }
  return ranks;
}

// The derived metrics: by key, their values for each method, or null where the records lack what they are computed from.
const DERIVED = {
  fit_alone_relative_to_single: (data, comparison) => ratios(data, "fit_seconds_alone", "fit_seconds_alone", comparison),
  fit_spent_relative_to_single: (data, comparison) => ratios(data, "fit_seconds_spent", "fit_seconds_alone", comparison),
  inference_relative_to_single: (data, comparison) => ratios(data, "macs", "macs", comparison),
  average_rank_at_matched_inference: (data, comparison) => {
    const inference = ratios(data, "macs", "macs", comparison);
    return inference && matchedRanks(data, comparison, inference);
  },
  gap: (data, comparison) => {
    const teacher = columnPlace(data, "teacher_accuracy");
    if (teacher < 0) return null;
    const own = completeMeans(comparison);
    return columnMeans(data, teacher, comparison).map((value, i) => own[i] - value);
  },
};

const columnPlace = (data, key) => data.columns.findIndex((column) => column.key === key);

function ratios(data, above, below, comparison) {
  const [first, second] = [columnPlace(data, above), columnPlace(data, below)];
  if (first < 0 || second < 0) return null;
  return relativeMeans(data, first, second, comparison);
}

// The metrics beside rank and accuracy, as the table of metrics of the data describes them, with their values for each method.
function besides(data, comparison) {
  const derived = data.derived.map((column) => ({ ...column, values: DERIVED[column.key]?.(data, comparison) ?? null }));
  const plain = data.columns.map((column, k) => ({ ...column, values: columnMeans(data, k, comparison) }));
  return [
    ...derived.filter((column) => column.values && (column.key === "gap" || column.values.some(Number.isFinite))),
    ...plain,
  ];
}

// The tests that were computed for all results, with the p-value and the decision of a pair; none where a part is chosen.
function otherTests(data, { methods, datasets, leftOut, runs, policy, alpha }) {
  const whole =
    methods.length === data.methods.length &&
    datasets.length + leftOut.length === data.datasets.length &&
    runs.size === data.runs.length;
  if (!whole) return [];
  return data.tests
    .filter((test) => test.policy === policy && test.alpha === alpha)
    .map((test) => {
      const found = new Map(test.pairs.flatMap(([i, j, p, different]) => [`${i},${j}`, `${j},${i}`].map((key) => [key, { p, different }])));
      return { ...test, of: (i, j) => found.get(`${methods[i]},${methods[j]}`) };
    });
}

// Whether the first click on a heading sorts the largest value first: it shows the best first.
const descends = (column) => column.direction === "up";

const isTime = (column) => ["s", "ms"].includes(column.unit);

const indices = (items, test) => items.flatMap((item, k) => (test(item) ? [k] : []));

const decimals = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

// A value by the format of its metric (".4f", "+.4f", ".3g"); with a unit, or with many digits, as 3 digits and a prefix such as M.
function formatted(value, { unit, format }) {
  if (!Number.isFinite(value)) return "–";
  const fixed = /^(\+?)\.(\d)f$/.exec(format);
  if (fixed && !unit) return (fixed[1] && value >= 0 ? "+" : "") + value.toFixed(Number(fixed[2]));
  return compact(value, unit);
}

function compact(value, unit) {
  if (unit === "×") return `${Number(value.toPrecision(3))}×`;
  if (unit === "" && Number.isInteger(value) && value < 1e4) return String(value);
  const steps =
    unit === "s" || unit === "ms"
      ? []
      : [
          [1e12, "T"],
          [1e9, "G"],
          [1e6, "M"],
          [1e3, "k"],
        ];
  const [size, prefix] = steps.find(([step]) => Math.abs(value) >= step) || [1, ""];
  const scaled = value / size,
    text = Math.abs(scaled) >= 1000 ? scaled.toFixed(0) : String(Number(scaled.toPrecision(3)));
  return unit || prefix ? `${text} ${prefix}${unit}` : text;
}
