// Pictures and distances of features.

const ROUNDS = 60;

// Returns red, green and blue, 0..255, of each of the rows (arrays of numbers
// of one length): the projections on the three principal directions, each
// stretched from its 2nd to its 98th percentile.
export function colours(rows) {
  const width = rows[0].length;
  const mean = new Float64Array(width);
  for (const row of rows) row.forEach((x, i) => (mean[i] += x / rows.length));
  const centred = rows.map((row) => row.map((x, i) => x - mean[i]));
  const result = rows.map(() => [128, 128, 128]);
  const found = [];
  let largest = 0;
  for (let channel = 0; channel < Math.min(3, width); channel++) {
    const { direction, variance } = principal(centred, found, channel);
    largest = Math.max(largest, variance);
    if (!(variance > 1e-10 * largest)) break;
    found.push(direction);
    stretched(centred.map((row) => dot(row, direction))).forEach(
      (value, i) => (result[i][channel] = value),
    );
  }
  return result;
}

// Returns the cosine of the angle between two arrays of numbers.
export function cosine(a, b) {
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}

// Returns [height, width] of the cells of a picture of this shape.
export function gridOf(numCells, height, width) {
  let best = [1, numCells];
  let least = Infinity;
  for (let h = 1; h <= numCells; h++) {
    const error = Math.abs(Math.log((h * h * width) / (numCells * height)));
    if (numCells % h === 0 && error < least) {
      [best, least] = [[h, numCells / h], error];
    }
  }
  return best;
}

// Power iteration on x^T x, away from the directions that were found.
function principal(centred, found, channel) {
  const width = centred[0].length;
  let direction = Array.from({ length: width }, (_, i) =>
    Math.cos((i + 1) * (channel + 1.7)),
  );
  let variance = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const other of found) {
      const part = dot(direction, other);
      direction = direction.map((x, i) => x - part * other[i]);
    }
    const length = Math.sqrt(dot(direction, direction));
    if (length === 0) return { direction, variance: 0 };
    direction = direction.map((x) => x / length);
    const next = new Array(width).fill(0);
    for (const row of centred) {
      const weight = dot(row, direction);
      for (let i = 0; i < width; i++) next[i] += weight * row[i];
    }
    variance = dot(next, direction);
    // The last one is of length 1, and is not replaced.
    if (round < ROUNDS - 1) direction = next;
  }
  const sizes = direction.map(Math.abs);
  const sign = direction[sizes.indexOf(Math.max(...sizes))] < 0 ? -1 : 1;
  return { direction: direction.map((x) => sign * x), variance };
}

function stretched(values) {
  const sorted = [...values].sort((a, b) => a - b);
  let [low, high] = [percentile(sorted, 0.02), percentile(sorted, 0.98)];
  if (high <= low) [low, high] = [sorted[0], sorted[sorted.length - 1]];
  const scale = 255 / (high - low || 1);
  return values.map((x) =>
    Math.round(Math.min(255, Math.max(0, (x - low) * scale))),
  );
}

function percentile(sorted, part) {
  const place = part * (sorted.length - 1);
  const [below, rest] = [Math.floor(place), place % 1];
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + rest * (sorted[above] - sorted[below]);
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
