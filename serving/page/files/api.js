// What the server is asked: TensorFlow Serving's REST, and what a page needs.

const BUSY = 503;
const ATTEMPTS = 4;

export async function getJson(path) {
  const response = await reach(path);
  return answerOf(response);
}

export async function getBytes(path) {
  const response = await reach(path);
  if (!response.ok) await answerOf(response);
  return new Uint8Array(await response.arrayBuffer());
}

// Returns one prediction for each of the instances, an array of {input: value}.
export async function predict(model, signature, instances) {
  const request = { signature_name: signature, instances };
  return (await post(model, "predict", request)).predictions;
}

// Returns [[class, score], ...] of an image, the best first.
export async function classify(model, signature, image) {
  const examples = [{ "image/encoded": image }];
  const request = { signature_name: signature, examples };
  return (await post(model, "classify", request)).results[0];
}

// A full queue is waited for.
async function post(model, method, request) {
  const path = `/v1/models/${encodeURIComponent(model)}:${method}`;
  const body = JSON.stringify(request);
  for (let attempt = 1; ; attempt++) {
    const response = await reach(path, { method: "POST", body });
    if (response.status !== BUSY || attempt === ATTEMPTS) {
      return answerOf(response);
    }
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * seconds));
  }
}

// Returns the value of a file in JSON.
export function encode(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return { b64: btoa(text) };
}

// Returns the address of a PNG file of an answer.
export const pngAddress = (value) => `data:image/png;base64,${value.b64}`;

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error(
      "The server did not answer. Is it still running? If the picture is large, " +
        "it may be over the server's limit (--max_body_bytes).",
    );
  }
}

async function answerOf(response) {
  let content = {};
  try {
    content = await response.json();
  } catch {
    if (response.ok) throw new Error("The server's answer is not JSON.");
  }
  if (response.ok) return content;
  throw new Error(content.error || `The server answered ${response.status}.`);
}
