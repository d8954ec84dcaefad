// Loads the data and shows all parts; polls the server if the page came from one.

const POLL_SECONDS = 5;

function update() {
  recompute();
  const { datasets, leftOut, methods } = comparison;
  byId("summary").textContent =
    `${plural(datasets.length, "dataset")} of ${data.datasets.length} and ${plural(methods.length, "method")} of ${data.methods.length} are compared` +
    (leftOut.length ? `; ${leftOut.length} left out for missing results.` : ".");
  for (const part of [showLeaderboard, showDiagram, showPairs, showCosts, showDatasets, showDrill]) part();
}

function showData(fresh) {
  const known = data && JSON.stringify([data.datasets, data.methods, data.runs]);
  data = fresh;
  chosen.columns ??= new Set([...data.derived, ...data.columns].flatMap((column) => (column.shown ? [column.key] : [])));
  ranges = cellRanges(data);
  Object.assign(rules, data.rules.numbers);
  byId("about").textContent =
    `${plural(data.arrays.dataset.length, "record")} · ${data.roots.join(", ")} · ssd-bench ${data.version ?? ""} · ${data.made ? `made ${data.made}` : `as of ${when(Date.now() / 1000)}`}`;
  showWarnings();
  showProgress(data.progress);
  if (known !== JSON.stringify([data.datasets, data.methods, data.runs])) showFilters();
  update();
  showFailures();
  showProvenance();
}

const showWarnings = () =>
  show(
    "messages",
    data.warnings.map((text) => make("p", { class: "warning" }, text)),
  );

function showProgress(progress) {
  if (!progress) return show("progress");
  const { ok, failed, skipped, left, working } = progress,
    all = ok + failed + skipped + left;
  show(
    "progress",
    make("progress", { max: String(Math.max(1, all)), value: String(all - left), "aria-label": "Cells done" }),
    make(
      "p",
      {},
      `${ok} of ${plural(all, "cell")} done, ${failed} failed, ${skipped} skipped, ${left} left`,
      working.length ? `; now: ${working.slice(0, 8).join("; ")}` : left ? "; nobody works on them" : "",
    ),
  );
}

let mark = null;
async function poll() {
  try {
    const answer = await fetch("data", { cache: "no-store", headers: mark ? { "If-None-Match": mark } : {} });
    if (answer.status === 200) {
      mark = answer.headers.get("ETag");
      showData(await unpack(await answer.arrayBuffer()));
    } else if (answer.status === 304) {
      showWarnings();
    } else {
      show("messages", make("p", { class: "warning" }, await answer.text()));
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    show("messages", make("p", { class: "warning" }, "The server does not answer; what is shown is the last that it said."));
  }
  setTimeout(poll, 1000 * POLL_SECONDS);
}

// For tests.
window.ssdBench = {
  wilcoxon,
  holm,
  friedman,
  rankScores,
  comparePairs,
  cliques,
  letters,
  chiSquaredAbove,
  normalBelow,
  chosen,
  update,
  downloaded: download,
  comparison: () => comparison,
  besides: () => besides(data, comparison),
  data: () => data,
  ready: false,
};

async function start() {
  const carried = byId("data").textContent;
  if (carried.trim()) showData(await unpack(fromBase64(carried)));
  else await poll();
  byId("data").remove();
  window.ssdBench.ready = true;
}

let resizing = null,
  lastWidth = window.innerWidth;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    if (data && window.innerWidth !== lastWidth) update();
    lastWidth = window.innerWidth;
  }, 150);
});
start().catch((error) => {
  show("messages", make("p", { class: "warning" }, `The page cannot be shown in this browser: ${error.message}`));
  throw error;
});
