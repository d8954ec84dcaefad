// Creates elements. Data are inserted as text only, not as markup.

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const byId = (id) => document.getElementById(id);

// Replaces a part of the page; focus and scroll positions are kept, by data-key.
function show(id, ...children) {
  const part = byId(id);
  const focused = part.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const scrolled = [...part.querySelectorAll("[data-scroll]")].map((box) => [box.dataset.scroll, box.scrollLeft, box.scrollTop]);
  const place =
    focused !== undefined && "selectionStart" in document.activeElement ? document.activeElement.selectionStart : null;
  part.replaceChildren(...children.flat(Infinity).filter(Boolean));
  for (const [key, left, top] of scrolled) {
    const box = [...part.querySelectorAll("[data-scroll]")].find((one) => one.dataset.scroll === key);
    if (box) [box.scrollLeft, box.scrollTop] = [left, top];
  }
  if (focused === undefined) return;
  const again = [...part.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (place !== null && again.type === "search") again.setSelectionRange(place, place);
}

const heading = (id, text) => make("h2", { id: `${id}-title` }, text);
const button = (text, onclick, attributes = {}) => make("button", { type: "button", onclick, ...attributes }, text);

function select(label, value, options, onchange) {
  const list = make(
    "select",
    { "data-key": `select-${label}`, onchange: (event) => onchange(event.target.value) },
    options.map(([key, text]) => make("option", { value: key, selected: String(key) === String(value) }, text)),
  );
  return make("label", { class: "field" }, make("span", {}, label), list);
}

// A long name in lines of at most this many characters, broken at separators if possible.
function wrapped(name, limit = 32) {
  const lines = [""];
  for (const piece of name
    .split(/(?<=[,@[+ ])|(?<=[a-z])(?=[A-Z])/)
    .flatMap((part) => part.match(new RegExp(`.{1,${limit}}`, "gsu")) || [])) {
    if (lines[lines.length - 1] && lines[lines.length - 1].length + piece.length > limit) lines.push("");
    lines[lines.length - 1] += piece;
  }
  return lines;
}

const narrow = () => window.innerWidth < 600;

// The lines as elements, with something attached before the first and after the last.
const breakable = (name, limit = narrow() ? 18 : 32, before = null, after = null) =>
  wrapped(name, limit).map((line, k, lines) =>
    make("span", { class: "whole" }, k ? null : before, line, k + 1 < lines.length ? null : after),
  );

const pText = (p) => (p < 0.001 ? "< .001" : `= ${p.toFixed(3).replace(/^0/, "")}`);
const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

function download(name, rows) {
  const quoted = (value) => {
    let text = value === null || value === undefined || (typeof value === "number" && Number.isNaN(value)) ? "" : String(value);
    if (typeof value === "string" && /^[=+@\t\r]/.test(text) && !/^[+]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
      text = `'${text}`; // a spreadsheet would take it for a formula; as core/text.py
    }
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = rows.map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  return text;
}

// A table whose columns are {key, title, about, text(row), value(row), cell(row), left}; sorted by a click on a heading.
function table(id, columns, rows, { sort, onsort, caption, csv, rowAttributes = () => ({}) }) {
  const column = columns.find((one) => one.key === sort[0]) || columns[0];
  const value = column.value || column.text;
  const empty = (v) => v === null || v === undefined || v === "" || Number.isNaN(v);
  const sorted = rows
    .map((row) => [value(row), row])
    .sort(
      ([a], [b]) =>
        empty(a) - empty(b) ||
        (empty(a) ? 0 : sort[1] * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b)),
    )
    .map(([, row]) => row);
  const head = columns.map((one) => {
    const active = one === column;
    const mark = make("span", { class: "mark", "aria-hidden": "true" }, active ? (sort[1] > 0 ? "▲" : "▼") : "");
    const turn = () => onsort([one.key, active ? -sort[1] : one.descending ? -1 : 1]);
    return make(
      "th",
      {
        scope: "col",
        class: one.left ? "left" : null,
        "aria-sort": active ? (sort[1] > 0 ? "ascending" : "descending") : "none",
      },
      button(breakable(one.title, 18, one.mark, mark), turn, { title: one.about, "data-key": `${id}-${one.key}` }),
    );
  });
  const body = sorted.map((row) =>
    make(
      "tr",
      rowAttributes(row),
      columns.map((one, k) =>
        make(
          k === columns.findIndex((c) => c.head) ? "th" : "td",
          {
            class: [one.left ? "left" : "", one.style ? one.style(row) : ""].join(" ").trim() || null,
            scope: one.head ? "row" : null,
          },
          one.cell ? one.cell(row) : one.head ? breakable(one.text(row)) : one.text(row),
        ),
      ),
    ),
  );
  const save = () =>
    download(`${id}.csv`, [columns.map((one) => one.csv || one.key), ...sorted.map((row) => columns.map(value_(csv, row)))]);
  return [
    make(
      "div",
      {
        class: rows.length > 40 ? "scroll tall" : "scroll",
        tabindex: "0",
        role: "region",
        "aria-label": caption,
        "data-scroll": id,
      },
      make(
        "table",
        { id: `${id}-table` },
        make("caption", { class: "hidden" }, caption),
        make("thead", {}, make("tr", {}, head)),
        make("tbody", {}, body),
      ),
    ),
    make("p", { class: "tools" }, button("Download this table (CSV)", save, { "data-key": `${id}-csv` })),
  ];
}

const value_ = (csv, row) => (column) => (csv && csv(column, row)) ?? (column.value || column.text)(row);
