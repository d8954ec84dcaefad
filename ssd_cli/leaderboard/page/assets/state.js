// The user's choices (by name, so that they remain valid for new data), and the comparison of what is chosen.

let data = null,
  comparison = null,
  ranges = [];
const widest = () => ({ n_train: ["", ""], n_timepoints: ["", ""], n_classes: ["", ""] });
const chosen = {
  query: "",
  archive: "",
  type: "",
  between: widest(),
  withoutDatasets: new Set(),
  withoutMethods: new Set(),
  resample: "",
  seed: "",
  policy: "complete",
  alpha: 0.05,
  columns: null, // keys of the shown metrics; at first those that the table of metrics names
  first: null,
  second: null,
  cost: null,
  dataset: null,
  method: "",
  sort: { leaderboard: ["rank", 1], datasets: ["name", 1], pairs: ["p", 1], failures: ["dataset", 1], cells: ["method", 1] },
};

function within(dataset, key) {
  const [low, high] = chosen.between[key],
    value = dataset[key];
  if (low === "" && high === "") return true;
  return Number.isFinite(value) && (low === "" || value >= Number(low)) && (high === "" || value <= Number(high));
}

const isChosen = (dataset) =>
  dataset.name.toLowerCase().includes(chosen.query.toLowerCase()) &&
  (!chosen.archive || (dataset.archives || []).includes(chosen.archive)) &&
  (!chosen.type || (dataset.type || "unknown") === chosen.type) &&
  Object.keys(chosen.between).every((key) => within(dataset, key)) &&
  !chosen.withoutDatasets.has(dataset.name);

// External results for the resamples of these runs: {methods: by name, warnings, notes}.
function external(runs = comparison.runs) {
  const resamples = [...new Set([...runs].map((k) => data.runs[k][0]))].sort((a, b) => a - b);
  return data.external[resamples.join(",")] ?? { methods: {}, warnings: [], notes: [] };
}

function recompute() {
  const keeps = (value, wanted) => wanted === "" || String(value) === wanted;
  const runs = new Set(
    indices(data.runs, ([resample, seed]) => keeps(resample, chosen.resample) && keeps(seed, chosen.seed)),
  );
  comparison = compareChosen(data, {
    datasets: indices(data.datasets, isChosen),
    methods: indices(data.methods, (method) => !chosen.withoutMethods.has(method.name)),
    runs,
    external: external(runs).methods,
    policy: chosen.policy,
    alpha: chosen.alpha,
  });
}

const datasetName = (d) => data.datasets[d].name;
const methodName = (j) => data.methods[j].name;

// A colour of Okabe and Ito's palette and a shape for each method by its place among all names, as in the files of compare.
const SHAPES = [
  "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
  "M-3.6,-3.6h7.2v7.2h-7.2z",
  "M0,-4.6L4.6,3.6H-4.6z",
  "M0,-5L5,0L0,5L-5,0z",
  "M0,4.6L4.6,-3.6H-4.6z",
  "M-1.6,-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3z",
  "M0,-2.2L2.4,-4.6L4.6,-2.4L2.2,0L4.6,2.4L2.4,4.6L0,2.2L-2.4,4.6L-4.6,2.4L-2.2,0L-4.6,-2.4L-2.4,-4.6z",
];
const N_COLOURS = 7;

function marker(j, x, y, label, attributes = {}) {
  return svg(
    "path",
    {
      d: SHAPES[(Math.floor(j / N_COLOURS) + j) % SHAPES.length],
      transform: `translate(${x.toFixed(2)},${y.toFixed(2)})`,
      class: `point c${j % N_COLOURS}`,
      ...attributes,
    },
    label ? svg("title", {}, label) : null,
  );
}

const key = (j) =>
  svg("svg", { class: "key", width: 12, height: 12, viewBox: "-6 -6 12 12", "aria-hidden": "true" }, marker(j, 0, 0));

// Width of a figure, at least the readable one: its box scrolls.
const widthOf = (id, least) => Math.max(least, Math.min(1100, byId(id).clientWidth - 2));

function figure(id, label, width, height, ...children) {
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label, "data-scroll": `${id}-figure` },
    svg(
      "svg",
      { id: `${id}-figure`, class: "figure", role: "img", "aria-label": label, width, height, viewBox: `0 0 ${width} ${height}` },
      children,
    ),
  );
}

let canvas = null;
function textWidth(text, size = 13) {
  canvas ??= document.createElement("canvas").getContext("2d");
  canvas.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  return canvas.measureText(text).width;
}

// Round numbers in a range; on a logarithmic scale powers of ten, with 2 and 5 times them in a short range.
function ticks(low, high, logarithmic = false) {
  if (logarithmic) {
    const found = [],
      short = Math.log10(high / low) < 2;
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of short ? [1, 2, 5] : [1]) found.push(factor * 10 ** power);
    }
    return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  }
  const rough = (high - low || 1) / 5,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}
