// Provenance: the records behind a number, their commands and versions, and one record in full.

function provenanceOf(cells) {
  const groups = new Map();
  for (const cell of cells) {
    const number = data.arrays.provenance[cell],
      finished = data.arrays.finished[cell];
    const group = groups.get(number) || { number, n: 0, from: Infinity, to: 0 };
    group.n++;
    if (finished) [group.from, group.to] = [Math.min(group.from, finished), Math.max(group.to, finished)];
    groups.set(number, group);
  }
  return [...groups.values()].sort((a, b) => b.n - a.n);
}

const when = (seconds) =>
  seconds && Number.isFinite(seconds)
    ? `${new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " ")} UTC`
    : "unknown";
const plainText = (value) =>
  value !== null && typeof value === "object"
    ? Object.entries(value)
        .map(([name, one]) => `${name} ${plainText(one)}`)
        .join(", ")
    : String(value);

// Entries of a provenance, the command first.
function definitions(entries) {
  return make(
    "dl",
    {},
    entries
      .filter(([, value]) => value !== undefined && value !== null && value !== "")
      .map(([name, value]) => [
        make("dt", {}, name.replaceAll("_", " ")),
        make(
          "dd",
          {},
          name === "command" || name === "file" || name === "identity" ? make("code", {}, plainText(value)) : plainText(value),
        ),
      ]),
  );
}

function making(number) {
  const { command, revision, ...rest } = data.provenances[number];
  return [["command", command], ["revision", revision], ...Object.entries(rest)];
}

function groupsShown(groups) {
  return groups.map((group) =>
    make(
      "div",
      { class: "card" },
      definitions([
        ["results", group.n.toLocaleString("en")],
        ["finished", !group.to ? "" : group.from === group.to ? when(group.to) : `${when(group.from)} to ${when(group.to)}`],
        ...making(group.number),
      ]),
    ),
  );
}

function showProvenance() {
  const all = provenanceOf(data.arrays.dataset.keys());
  show(
    "provenance",
    heading("provenance", "Where the numbers come from"),
    make(
      "p",
      {},
      `${plural(data.arrays.dataset.length, "record")} of ${data.roots.join(", ")}. Each number of a dataset leads to its cells, and each cell to its file, identity and command.`,
    ),
    groupsShown(all.slice(0, 12)),
    all.length > 12 ? make("p", {}, `${all.length - 12} more, with the cells that they made.`) : null,
  );
}

function openDialog(title, ...children) {
  const dialog = byId("dialog"),
    close = button("Close", () => dialog.close());
  dialog.replaceChildren(
    make("h2", { id: "dialog-title" }, title),
    ...children.flat(Infinity).filter(Boolean),
    make("p", { class: "tools" }, close),
  );
  dialog.showModal();
}

function openCell(cell) {
  const { dataset, method, run, status, accuracy, provenance, finished, identity, root } = data.arrays;
  const [resample, seed] = data.runs[run[cell]],
    { backbone, recipe, folder, method: label } = data.methods[method[cell]];
  const failure = data.failures.find(([failed]) => failed === cell);
  const hash = Array.from(identity.subarray(6 * cell, 6 * cell + 6), (byte) => byte.toString(16).padStart(2, "0")).join("");
  openDialog(
    `${datasetName(dataset[cell])}, ${methodName(method[cell])}`,
    definitions([
      ["status", data.statuses[status[cell]]],
      ["accuracy", status[cell] === 0 ? String(accuracy[cell]) : ""],
      ["resample", resample],
      ["seed", seed],
      ["method", label],
      ["backbone", backbone],
      ["recipe", recipe],
      ["reason", failure ? data.failureTexts[failure[1]] : ""],
      ["finished", finished[cell] ? when(finished[cell]) : ""],
      [
        "file",
        folder
          ? `${data.roots[root[cell]]}/seed${seed}/${folder}/Predictions/${datasetName(dataset[cell])}/testResample${resample}.json`
          : "",
      ],
      ["identity", `${hash}…`],
      ...making(provenance[cell]),
    ]),
    failure && data.failureTexts[failure[2]] ? make("pre", { tabindex: "0" }, data.failureTexts[failure[2]]) : null,
  );
}

function openMethod(j) {
  const cells = indices([...data.arrays.method], (k) => k === j),
    { method, backbone, recipe } = data.methods[j],
    theirs = external().methods[methodName(j)];
  openDialog(
    methodName(j),
    definitions([
      ["method", method],
      [theirs ? "made by" : "backbone", theirs ? `others (${backbone})` : backbone],
      ["recipe", recipe],
      ["protocol", theirs?.protocol],
      ["source", theirs?.source],
    ]),
    groupsShown(provenanceOf(cells).slice(0, 12)),
  );
}
