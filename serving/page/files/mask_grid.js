// The patches of a photo, to be hidden and shown: 1 = hidden, 0 = visible.

const MOST_CELLS = 14;
const MOVES = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export class MaskGrid {
  // `changed` is called after each change that a person makes.
  constructor(cells, veil, changed) {
    this.cells = cells;
    this.veil = veil;
    this.changed = changed;
    this.drawing = null;
    cells.addEventListener("pointerdown", (event) => this.begin(event));
    cells.addEventListener("pointermove", (event) => this.draw(event));
    addEventListener("pointerup", () => (this.drawing = null));
    addEventListener("pointercancel", () => (this.drawing = null));
    cells.addEventListener("keydown", (event) => this.key(event));
    cells.addEventListener("click", (event) => this.click(event));
  }

  // Makes the cells for masks of [height, width] model patches, all visible.
  // Small patches are taken together, so that they can be hit.
  resize(height, width) {
    this.size = [height, width];
    this.block = blockOf(height, width);
    [this.veil.height, this.veil.width] = this.size;
    this.rows = height / this.block;
    this.columns = width / this.block;
    this.cells.style.gridTemplateColumns = `repeat(${this.columns}, 1fr)`;
    this.cells.style.gridTemplateRows = `repeat(${this.rows}, 1fr)`;
    this.buttons = [];
    const rows = [];
    for (let r = 0; r < this.rows; r++) {
      const row = document.createElement("div");
      row.className = "row";
      row.setAttribute("role", "row");
      for (let c = 0; c < this.columns; c++) {
        const button = document.createElement("button");
        button.type = "button";
        button.tabIndex = r + c === 0 ? 0 : -1;
        button.setAttribute("role", "gridcell");
        this.buttons.push(button);
        row.append(button);
      }
      rows.push(row);
    }
    this.cells.replaceChildren(...rows);
    this.set(Array.from({ length: height }, () => new Array(width).fill(0)));
  }

  set(mask) {
    this.mask = mask.map((row) => row.map((cell) => (cell ? 1 : 0)));
    this.show();
  }

  invert() {
    this.set(this.mask.map((row) => row.map((cell) => 1 - cell)));
  }

  // Returns which part of the photo is hidden, 0..1.
  hiddenPart() {
    const cells = this.mask.flat();
    return cells.reduce((sum, cell) => sum + cell, 0) / cells.length;
  }

  show() {
    const context = this.veil.getContext("2d");
    const colour = getComputedStyle(document.documentElement);
    context.fillStyle = colour.getPropertyValue("--veil");
    context.clearRect(0, 0, this.veil.width, this.veil.height);
    this.mask.forEach((row, r) =>
      row.forEach((cell, c) => cell && context.fillRect(c, r, 1, 1)),
    );
    this.buttons.forEach((button, number) => {
      const [r, c] = this.place(number);
      const part = this.hiddenIn(number);
      const state = part === 1 ? "hidden" : part ? "partly hidden" : "visible";
      button.setAttribute("aria-selected", part === 1);
      button.setAttribute("aria-label", `Row ${r + 1}, column ${c + 1}, ${state}`);
    });
  }

  place(number) {
    return [Math.floor(number / this.columns), number % this.columns];
  }

  hiddenIn(number) {
    let sum = 0;
    this.eachPatch(number, (r, c) => (sum += this.mask[r][c]));
    return sum / this.block ** 2;
  }

  eachPatch(number, action) {
    const [row, column] = this.place(number);
    for (let r = 0; r < this.block; r++) {
      for (let c = 0; c < this.block; c++) {
        action(row * this.block + r, column * this.block + c);
      }
    }
  }

  hide(number, value) {
    let isNew = false;
    this.eachPatch(number, (r, c) => {
      isNew ||= this.mask[r][c] !== value;
      this.mask[r][c] = value;
    });
    if (!isNew) return;
    this.show();
    this.changed();
  }

  begin(event) {
    const number = this.buttons.indexOf(event.target);
    if (number < 0 || event.button) return;
    this.drawing = this.hiddenIn(number) === 1 ? 0 : 1;
    this.hide(number, this.drawing);
    this.focus(number);
  }

  draw(event) {
    if (this.drawing === null || !event.buttons) return;
    // A finger stays with the element that it began on.
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const number = this.buttons.indexOf(under);
    if (number >= 0) this.hide(number, this.drawing);
  }

  // Of the keyboard or a screen reader; a pointer has been seen before.
  click(event) {
    const number = this.buttons.indexOf(event.target);
    if (number < 0 || event.detail) return;
    this.hide(number, this.hiddenIn(number) === 1 ? 0 : 1);
  }

  key(event) {
    const move = MOVES[event.key];
    const number = this.buttons.indexOf(event.target);
    if (!move || number < 0) return;
    event.preventDefault();
    const [row, column] = this.place(number);
    const [r, c] = [row + move[0], column + move[1]];
    if (r < 0 || c < 0 || r >= this.rows || c >= this.columns) return;
    this.focus(r * this.columns + c);
  }

  focus(number) {
    for (const button of this.buttons) button.tabIndex = -1;
    this.buttons[number].tabIndex = 0;
    this.buttons[number].focus();
  }
}

// Returns how many patches a cell takes in each direction: a divisor of both
// sizes that leaves few enough cells.
function blockOf(height, width) {
  let best = 1;
  for (let block = 1; block <= Math.min(height, width); block++) {
    if (height % block || width % block) continue;
    best = block;
    if (Math.max(height, width) / block <= MOST_CELLS) break;
  }
  return best;
}
