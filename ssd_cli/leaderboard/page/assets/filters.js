// The filters: datasets, methods, resamples, seeds, policy for missing results, alpha.

function showFilters() {
  const distinct = (values) => [...new Set(values)].sort((a, b) => (typeof a === "number" ? a - b : a < b ? -1 : 1));
  const archives = distinct(data.datasets.flatMap((dataset) => dataset.archives || []));
  const types = distinct(data.datasets.map((dataset) => dataset.type || "unknown"));
  const resamples = distinct(data.runs.map(([resample]) => resample)),
    seeds = distinct(data.runs.map(([, seed]) => seed));
  const pick = (name) => (value) => {
    chosen[name] = value;
    update();
  };
  const query = make("input", {
    type: "search",
    "data-key": "query",
    value: chosen.query,
    placeholder: "part of a name",
    oninput: (event) => {
      chosen.query = event.target.value;
      updateSoon();
    },
  });
  const one = (noun, values) => [
    ["", `all ${values.length}`],
    ...values.map((value) => [value, `${noun} ${value}${noun === "resample" && value === 0 ? " (the archive's split)" : ""}`]),
  ];
  show(
    "filters",
    make(
      "div",
      { class: "fields" },
      make("label", { class: "field" }, make("span", {}, "Dataset"), query),
      archives.length
        ? select("Archive", chosen.archive, [["", "all"], ...archives.map((name) => [name, name])], pick("archive"))
        : null,
      types.length > 1 ? select("Type", chosen.type, [["", "all"], ...types.map((name) => [name, name])], pick("type")) : null,
      between("Training cases", "n_train"),
      between("Length", "n_timepoints"),
      between("Classes", "n_classes"),
      resamples.length > 1 ? select("Resamples", chosen.resample, one("resample", resamples), pick("resample")) : null,
      seeds.length > 1 ? select("Seeds", chosen.seed, one("seed", seeds), pick("seed")) : null,
      select(
        "Missing results",
        chosen.policy,
        [
          ["complete", "leave the dataset out for all"],
          ["worst-rank", "rank the method last there"],
        ],
        pick("policy"),
      ),
      select(
        "Alpha",
        chosen.alpha,
        [
          [0.1, "0.10"],
          [0.05, "0.05"],
          [0.01, "0.01"],
        ],
        (value) => {
          chosen.alpha = Number(value);
          update();
        },
      ),
    ),
    oneByOne("Methods", data.methods, chosen.withoutMethods),
    oneByOne("Datasets", data.datasets, chosen.withoutDatasets),
    make("p", { class: "tools" }, button("Reset filters", reset, { "data-key": "reset" })),
  );
}

function between(label, property) {
  const values = data.datasets.map((dataset) => dataset[property]).filter(Number.isFinite);
  if (!values.length) return null;
  const end = (place, word, hint) =>
    make("input", {
      type: "number",
      min: "0",
      "aria-label": `${label}: ${word}`,
      placeholder: hint,
      "data-key": `${property}-${place}`,
      value: chosen.between[property][place],
      oninput: (event) => {
        chosen.between[property][place] = event.target.value;
        updateSoon();
      },
    });
  return make(
    "fieldset",
    { class: "field" },
    make("legend", {}, label),
    end(0, "at least", String(Math.min(...values))),
    " to ",
    end(1, "at most", String(Math.max(...values))),
  );
}

function oneByOne(label, items, without) {
  const boxes = items.map((item, k) => {
    const box = make("input", {
      type: "checkbox",
      checked: !without.has(item.name),
      "data-key": `${label}-${item.name}`,
      onchange: (event) => {
        event.target.checked ? without.delete(item.name) : without.add(item.name);
        update();
      },
    });
    return make("label", { class: "check" }, box, label === "Methods" ? key(k) : null, item.name);
  });
  const all = (on) => () => {
    for (const [k, item] of items.entries()) {
      on ? without.delete(item.name) : without.add(item.name);
      boxes[k].querySelector("input").checked = on;
    }
    update();
  };
  return make(
    "details",
    { open: label === "Methods" && items.length <= 8 },
    make("summary", { "data-key": `summary-${label}` }, `${label} one by one (${items.length})`),
    make(
      "p",
      { class: "tools" },
      button("All", all(true), { "data-key": `${label}-all` }),
      button("None", all(false), { "data-key": `${label}-none` }),
    ),
    make("div", { class: "checks" }, boxes),
  );
}

function reset() {
  Object.assign(chosen, { query: "", archive: "", type: "", between: widest(), resample: "", seed: "" });
  chosen.withoutDatasets.clear();
  chosen.withoutMethods.clear();
  showFilters();
  update();
}

let pending = null;
function updateSoon() {
  clearTimeout(pending);
  pending = setTimeout(update, 120);
}
