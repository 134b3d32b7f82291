// The page: what is chosen, what is asked for it, and where answers go.

import * as api from "/page/api.js";
import { exampleElements, shapesOf } from "/page/examples.js";
import { colours, cosine, gridOf } from "/page/features.js";
import { MaskGrid } from "/page/mask_grid.js";

const NUM_NEAR = 6;
const MOST_CLASSES = 5;
const MOST_IN_A_REQUEST = 8;
const MOST_WORDS = 400; // characters of an error
const PAUSE = 200; // ms, after a change of the mask

const at = (id) => document.getElementById(id);
const show = (id, isShown) => (at(id).hidden = !isShown);

const state = { models: [], limits: {}, builtIn: [] };
const knownFeatures = new Map();
// What is asked last counts: answers that come later are of something old.
let photoNumber = 0;
let maskNumber = 0;
let timer = 0;
let grid;

start().catch(fail);

async function start() {
  grid = new MaskGrid(at("cells"), at("veil"), () => reconstructSoon());
  const served = await api.getJson("/page/models.json");
  Object.assign(state, served);
  if (!state.models.length) {
    at("about").textContent = "";
    throw new Error("No model is loaded at present. Try again in a moment.");
  }
  at("model").append(...state.models.map((model) => new Option(model.name)));
  show("model-choice", state.models.length > 1);
  at("model").addEventListener("change", () => choose().catch(fail));
  at("signature").addEventListener("change", showExamples);
  at("file").addEventListener("change", () => takeFile(at("file").files[0]));
  at("random").addEventListener("click", () => hideAtRandom());
  at("invert").addEventListener("click", () => change(() => grid.invert()));
  at("show-all").addEventListener("click", () => change(showAll));
  acceptDrops();
  await choose();
}

// Takes the model that is chosen, and what it can do.
async function choose() {
  const model = state.models[at("model").selectedIndex];
  state.model = model;
  const can = (name) => name in model.signatures;
  state.can = can;
  // What was asked of another model is of no use any more.
  ++photoNumber;
  ++maskNumber;
  clearTimeout(timer);
  wait(can("features"));
  show("classes", false);
  at("about").textContent = `${model.name}, version ${model.version}. ${
    can("features")
      ? "Give it a picture and see what it has learned."
      : "It takes no pictures; what it can be asked is below."
  }`;
  document.title = `${model.name}: try the model`;
  const path = `/v1/models/${encodeURIComponent(model.name)}`;
  at("versions").href = path;
  at("metadata").href = `${path}/metadata`;
  show("choose", can("features"));
  show("masking", can("reconstruct_png"));
  show("insight", can("features"));
  show("tokens-figure", can("features_tokens"));
  showCompression(model.compression);
  show("ask", true);
  const first = can("features") ? (can("reconstruct_png") ? 3 : 2) : 1;
  document.querySelectorAll(".number").forEach((element, i) => {
    element.textContent = `${first + i}. `;
  });
  const names = Object.keys(model.examples);
  at("signature").replaceChildren(...names.map((name) => new Option(name)));
  if (names.includes("features")) at("signature").value = "features";
  showExamples();
  if (can("reconstruct_png")) {
    const shape = model.signatures.reconstruct_png.inputs.patch_mask.shape;
    grid.resize(shape[1], shape[2]);
  }
  if (!can("features")) return;
  if (!state.builtIn.length) await showBuiltIn();
  await takeBuiltIn(greeting(model));
}

// Shows what a smaller network costs and keeps of the original, if it is one.
function showCompression(told) {
  show("compression", Boolean(told));
  if (!told) return;
  const rows = told.rows.map(([title, ...values]) => {
    const row = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = title;
    row.append(heading);
    values.forEach((value) => (row.insertCell().textContent = value));
    return row;
  });
  at("compression-rows").replaceChildren(...rows);
  at("compression-note").textContent = told.note;
}

// Returns the number of the first picture that is like what the model is for.
function greeting(model) {
  const pixels = model.signatures.features_from_pixels?.inputs.pixels;
  const found = state.builtIn.findIndex(
    ({ channels }) => channels === null || channels === pixels?.shape?.[3],
  );
  return Math.max(0, found);
}

function showExamples() {
  const name = at("signature").value;
  at("shapes").textContent = shapesOf(state.model.signatures[name]);
  at("examples").replaceChildren(
    ...exampleElements(state.model.examples[name]),
  );
}

async function showBuiltIn() {
  state.builtIn = await api.getJson("/page/pictures.json");
  const items = state.builtIn.map(({ name, address }, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(picture(address, name));
    button.addEventListener("click", () => takeBuiltIn(number).catch(fail));
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  at("built-in").replaceChildren(...items);
}

function picture(address, text) {
  const image = new Image();
  image.src = address;
  image.alt = text;
  image.title = text;
  return image;
}

function acceptDrops() {
  const over = (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", event.type === "dragover");
  };
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, over);
  }
  addEventListener("drop", (event) => takeFile(event.dataTransfer.files[0]));
}

async function takeBuiltIn(number) {
  const { address, name } = state.builtIn[number];
  markBuiltIn(number);
  await take(await api.getBytes(address), name, number);
}

function markBuiltIn(number) {
  at("built-in")
    .querySelectorAll("button")
    .forEach((button, i) => button.setAttribute("aria-pressed", i === number));
}

async function takeFile(file) {
  if (!file) return;
  try {
    // In JSON, base64: four letters for three bytes.
    const most = Math.floor((state.limits.max_body_bytes * 3) / 4) - 4096;
    if (file.size > most) {
      throw new Error(
        `${file.name} has ${megabytes(file.size)}; this server takes up to ` +
          `${megabytes(most)} (--max_body_bytes).`,
      );
    }
    markBuiltIn(-1);
    await take(new Uint8Array(await file.arrayBuffer()), file.name, -1);
  } catch (error) {
    fail(error);
  } finally {
    at("file").value = "";
  }
}

const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

// Shows all there is of a photo. One that is refused leaves the old one.
async function take(bytes, name, builtInNumber) {
  // Dropped on the page of a model that takes none.
  if (!state.can("features")) return;
  const number = ++photoNumber;
  const image = api.encode(bytes);
  clearError();
  wait(true);
  try {
    const rows = await ask("features", [{ image_bytes: image }]);
    if (number !== photoNumber) return;
    state.image = image;
    show("classes", false);
    await Promise.all([
      state.can("reconstruct_png") && showMasking(number),
      showWhole(bytes),
      state.can("features_tokens") && showTokens(number),
      state.can("classify") && showClasses(number),
      showNear(rows[0], builtInNumber, number),
    ]);
    if (number === photoNumber) at("status").textContent = `${name}: done.`;
  } finally {
    if (number === photoNumber) wait(false);
  }
}

// Asks for one output of each, or for all by name. Inputs go as the server
// wants them: bare where there is one. Who asks several times gives the model,
// since another may be chosen meanwhile.
function ask(signature, instances, model = state.model) {
  const inputs = Object.keys(model.signatures[signature].inputs);
  const bare = (instance) =>
    inputs.length === 1 ? instance[inputs[0]] : instance;
  return api.predict(model.name, signature, instances.map(bare));
}

async function showMasking(number) {
  const none = grid.mask.map((row) => row.map(() => 0));
  const [shown] = await ask("reconstruct_png", [
    { image_bytes: state.image, patch_mask: none },
  ]);
  if (number !== photoNumber) return;
  at("seen").src = api.pngAddress(shown.masked_png_bytes);
  if (grid.hiddenPart() === 0) await hideAtRandom();
  else await reconstruct();
}

// A mask as in training, from the model itself.
async function hideAtRandom() {
  if (!state.image) return;
  const number = ++maskNumber;
  try {
    const seed = Math.floor(Math.random() * 2 ** 31);
    if (state.can("reconstruct_random")) {
      const [drawn] = await ask("reconstruct_random", [
        { image_bytes: state.image, seed },
      ]);
      if (number !== maskNumber) return;
      grid.set(drawn.patch_mask);
    }
    await reconstruct();
  } catch (error) {
    fail(error);
  }
}

const showAll = () => grid.set(grid.mask.map((row) => row.map(() => 0)));

function change(action) {
  action();
  reconstructSoon();
}

function reconstructSoon() {
  ++maskNumber;
  clearTimeout(timer);
  showHiddenPart();
  timer = setTimeout(() => reconstruct().catch(fail), PAUSE);
}

async function reconstruct() {
  if (!state.image) return;
  const number = ++maskNumber;
  showHiddenPart();
  const [answer] = await ask("reconstruct_png", [
    { image_bytes: state.image, patch_mask: grid.mask },
  ]);
  if (number !== maskNumber) return;
  at("filled").src = api.pngAddress(answer.composite_png_bytes);
  at("predicted").src = api.pngAddress(answer.reconstruction_png_bytes);
}

function showHiddenPart() {
  const percent = Math.round(100 * grid.hiddenPart());
  at("hidden").textContent = `${percent} % hidden`;
}

function showWhole(bytes) {
  URL.revokeObjectURL(at("whole").src);
  at("whole").src = URL.createObjectURL(new Blob([bytes]));
}

async function showTokens(number) {
  const [answer] = await ask("features_tokens", [{ image_bytes: state.image }]);
  if (number !== photoNumber) return;
  const pixels = state.model.signatures.features_from_pixels?.inputs.pixels;
  const [, imageHeight, imageWidth] = pixels?.shape ?? [1, 1, 1];
  const [height, width] = gridOf(answer.length, imageHeight, imageWidth);
  const canvas = at("tokens");
  [canvas.height, canvas.width] = [height, width];
  const context = canvas.getContext("2d");
  colours(answer).forEach((colour, i) => {
    context.fillStyle = `rgb(${colour.join(" ")})`;
    context.fillRect(i % width, Math.floor(i / width), 1, 1);
  });
}

async function showClasses(number) {
  const found = await api.classify(state.model.name, "classify", state.image);
  if (number !== photoNumber) return;
  const items = found.slice(0, MOST_CLASSES).map(([name, score]) => {
    const item = document.createElement("li");
    const bar = document.createElement("meter");
    bar.value = score;
    bar.setAttribute("aria-hidden", "true");
    const label = document.createElement("span");
    label.textContent = name;
    const percent = document.createElement("span");
    percent.textContent = `${(100 * score).toFixed(1)} %`;
    item.append(label, " ", bar, " ", percent);
    return item;
  });
  at("classes").replaceChildren(...items);
  show("classes", true);
}

async function showNear(features, builtInNumber, number) {
  const all = await builtInFeatures(state.model);
  if (number !== photoNumber) return;
  const near = all
    .map((other, i) => [cosine(features, other), i])
    .filter(([, i]) => i !== builtInNumber)
    .sort((a, b) => b[0] - a[0])
    .slice(0, NUM_NEAR);
  const items = near.map(([similarity, i]) => {
    const { address, name } = state.builtIn[i];
    const item = document.createElement("li");
    const text = document.createElement("span");
    text.textContent = similarity.toFixed(3);
    item.append(picture(address, name), text);
    return item;
  });
  at("near").replaceChildren(...items);
}

// Returns the features of every built-in picture, once for each version.
async function builtInFeatures(model) {
  const key = `${model.version} ${model.name}`;
  if (!knownFeatures.has(key)) {
    const asked = loadFeatures(model);
    knownFeatures.set(key, asked);
    asked.catch(() => knownFeatures.delete(key));
  }
  return knownFeatures.get(key);
}

async function loadFeatures(model) {
  const files = await Promise.all(
    state.builtIn.map(({ address }) => api.getBytes(address)),
  );
  const size = Math.min(MOST_IN_A_REQUEST, state.limits.max_batch);
  const rows = [];
  for (let i = 0; i < files.length; i += size) {
    const part = files.slice(i, i + size);
    const instances = part.map((file) => ({ image_bytes: api.encode(file) }));
    rows.push(...(await ask("features", instances, model)));
  }
  return rows;
}

function wait(isWaiting) {
  for (const id of ["masking", "insight"]) {
    at(id).classList.toggle("waiting", isWaiting);
    at(id).setAttribute("aria-busy", isWaiting);
  }
  document.body.dataset.state = isWaiting ? "waiting" : "done";
}

function clearError() {
  show("error", false);
  delete document.body.dataset.failed;
}

function fail(error) {
  // Without the names of nodes that TensorFlow adds.
  const words = error.message.replace(/\s+/g, " ").replace(/ ?\[\[\{\{.*/, "");
  at("error").textContent =
    words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS)} …` : words;
  show("error", true);
  document.body.dataset.failed = "yes";
}
