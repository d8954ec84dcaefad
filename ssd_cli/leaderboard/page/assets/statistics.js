// The statistics of ssd_cli/statistics in JavaScript; tests compare the two. Scores have a row per dataset and a column per method.

const rules = { tie: 1e-12, exactUpTo: 200, decimals: 12, matched: 1.01 }; // replaced by Python's numbers from the data

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

function rankScores(scores) {
  return scores.map((row) =>
    row.map((own) => {
      let better = 0,
        equal = 0;
      for (const other of row) {
        if (other - own > rules.tie) better++;
        else if (Math.abs(other - own) <= rules.tie) equal++;
      }
      return better + (equal + 1) / 2;
    }),
  );
}

function contests(scores, n) {
  const grid = () => Array.from({ length: n }, () => new Array(n).fill(0));
  const wins = grid(),
    ties = grid();
  for (const row of scores) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (row[i] - row[j] > rules.tie) wins[i][j]++;
        else if (i !== j && Math.abs(row[i] - row[j]) <= rules.tie) ties[i][j]++;
      }
    }
  }
  return { wins, ties, losses: wins.map((_, i) => wins.map((row) => row[i])) };
}

// The scores in the form in which they are compared: a rounded accuracy becomes the only count of correct cases that it can be; where
// there is none, all scores of the dataset are rounded to the fewest decimals.
function comparable(scores, decimals, nTest) {
  return scores.map((row, d) => {
    let fewest = rules.decimals;
    const counted = row.map((score, j) => {
      if (decimals[j] >= rules.decimals || Number.isNaN(score)) return score;
      const unit = 10 ** -decimals[j],
        value = Math.round(score * nTest[d]) / nTest[d];
      if (nTest[d] && unit * nTest[d] < 0.5 && Math.abs(score - value) < unit) return value;
      fewest = Math.min(fewest, decimals[j]);
      return score;
    });
    const steps = 10 ** fewest;
    return fewest < rules.decimals ? counted.map((score) => Math.floor(score * steps + 0.5 + 1e-6) / steps) : counted;
  });
}

// Complementary error function: a series of positive terms near 0, a continued fraction (Lentz) in the tail.
function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) {
    let term = (2 / Math.sqrt(Math.PI)) * x * Math.exp(-x * x),
      total = 0;
    for (let k = 1; total + term !== total; k++) {
      total += term;
      term *= (2 * x * x) / (2 * k + 1);
    }
    return 1 - total;
  }
  let f = x,
    c = x,
    d = 0;
  for (let k = 1; k < 500; k++) {
    d = 1 / (x + (k / 2) * d);
    c = x + k / 2 / c;
    f *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return Math.exp(-x * x) / (f * Math.sqrt(Math.PI));
}

const normalBelow = (z) => erfc(-z / Math.SQRT2) / 2;

// Probability that chi-squared is above x; a sum of positive terms for every whole number of degrees of freedom.
function chiSquaredAbove(x, degrees) {
  const half = x / 2,
    odd = degrees % 2;
  let total = odd ? erfc(Math.sqrt(half)) : Math.exp(-half);
  let term = odd ? (2 * Math.sqrt(half) * Math.exp(-half)) / Math.sqrt(Math.PI) : half * Math.exp(-half);
  for (let a = odd ? 0.5 : 1; a < degrees / 2; a++) {
    total += term;
    term *= half / (a + 1);
  }
  return Math.min(1, total);
}

function friedman(ranks, n) {
  if (n < 3 || ranks.length < 2) return null;
  const centre = (n + 1) / 2;
  const spread = sum(ranks.map((row) => sum(row.map((rank) => (rank - centre) ** 2))));
  if (spread === 0) return { statistic: 0, p: 1, degrees: n - 1 };
  const totals = ranks[0].map((_, j) => sum(ranks.map((row) => row[j] - centre)));
  const statistic = ((n - 1) * sum(totals.map((total) => total ** 2))) / spread;
  return { statistic, p: chiSquaredAbove(statistic, n - 1), degrees: n - 1 };
}

// Share of the 2^n subsets of the ranks with a sum of at most the given one; sums of positive terms, so that nothing overflows.
function shareAtMost(most, ranks) {
  const shares = new Float64Array(most + 1);
  shares[0] = 1;
  for (const rank of ranks) {
    for (let total = most; total >= 0; total--) shares[total] = (shares[total] + (total >= rank ? shares[total - rank] : 0)) / 2;
  }
  return sum(shares);
}

// Two-sided signed-rank test, zeros by Pratt: exact for few differences other than zero, with ties as well, else normal.
function wilcoxon(differences) {
  const size = differences.map(Math.abs),
    n = size.length,
    doubled = []; // twice the ranks of those that are not zero: whole numbers
  let above = 0,
    below = 0,
    correction = 0;
  for (let i = 0; i < n; i++) {
    if (size[i] <= rules.tie) continue;
    let smaller = 0,
      equal = 0;
    for (let j = 0; j < n; j++) {
      const gap = size[i] - size[j];
      if (gap > rules.tie) smaller++;
      else if (Math.abs(gap) <= rules.tie) equal++;
    }
    const rank = 2 * smaller + equal + 1;
    doubled.push(rank);
    if (differences[i] > 0) above += rank;
    else below += rank;
    correction += equal * equal - 1;
  }
  const least = Math.min(above, below),
    statistic = least / 2,
    zeros = n - doubled.length;
  if (doubled.length <= rules.exactUpTo) return { statistic, p: Math.min(1, 2 * shareAtMost(least, doubled)), exact: true };
  const centre = (n * (n + 1) - zeros * (zeros + 1)) / 4;
  const variance = (n * (n + 1) * (2 * n + 1) - zeros * (zeros + 1) * (2 * zeros + 1)) / 24 - correction / 48;
  return { statistic, p: Math.min(1, 2 * normalBelow((statistic - centre) / Math.sqrt(variance))), exact: false };
}

function holm(p) {
  const order = p.map((_, i) => i).sort((i, j) => p[i] - p[j]);
  const adjusted = new Array(p.length);
  let highest = 0;
  order.forEach((i, place) => {
    highest = Math.max(highest, p[i] * (p.length - place));
    adjusted[i] = Math.min(1, highest);
  });
  return adjusted;
}

const datasetsNeeded = (nPairs, alpha) => Math.ceil(1 - Math.log2(alpha / nPairs));

function comparePairs(scores, n, alpha) {
  const pairs = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) pairs.push([i, j]);
  const results = pairs.map(([i, j]) => wilcoxon(scores.map((row) => row[i] - row[j])));
  const after = holm(results.map((result) => result.p));
  const needed = pairs.length ? datasetsNeeded(pairs.length, alpha) : 0;
  const enough = pairs.length > 0 && scores.length >= needed;
  const square = (fill) => Array.from({ length: n }, () => new Array(n).fill(fill));
  const tests = { p: square(1), adjusted: square(1), different: square(false), nPairs: pairs.length, needed, enough, nExact: 0 };
  pairs.forEach(([i, j], k) => {
    tests.p[i][j] = tests.p[j][i] = results[k].p;
    tests.adjusted[i][j] = tests.adjusted[j][i] = after[k];
    tests.different[i][j] = tests.different[j][i] = after[k] <= alpha;
    tests.nExact += results[k].exact;
  });
  return tests;
}

// Longest runs of neighbours by rank without a significant pair: [first, last], the last included.
function cliques(different) {
  const runs = [];
  for (let first = 0; first < different.length; first++) {
    let last = first;
    const joins = (next) => {
      for (let i = first; i < next; i++) if (different[i][next]) return false;
      return true;
    };
    while (last + 1 < different.length && joins(last + 1)) last++;
    if (!runs.length || last > runs[runs.length - 1][1]) runs.push([first, last]);
  }
  return runs;
}

function letters(runs, n) {
  const letter = (k) => (k < 26 ? String.fromCharCode(97 + k) : letter(Math.floor(k / 26) - 1) + letter(k % 26));
  return Array.from({ length: n }, (_, i) => runs.map(([first, last], k) => (first <= i && i <= last ? letter(k) : "")).join(""));
}

function unjoined(different, runs) {
  const found = [];
  for (let i = 0; i < different.length; i++) {
    for (let j = i + 1; j < different.length; j++) {
      if (!different[i][j] && !runs.some(([first, last]) => first <= i && j <= last)) found.push([i, j]);
    }
  }
  return found;
}
