// Commands to copy, for one signature of a model.

// Returns the elements that show `{title: text}`.
export function exampleElements(texts) {
  return Object.entries(texts).map(([title, text]) => {
    const box = element("div", "example");
    const heading = element("h3", "", title);
    const copy = element("button", "", "Copy");
    copy.type = "button";
    copy.setAttribute("aria-label", `Copy: ${title}`);
    copy.addEventListener("click", async () => {
      copy.textContent = (await copied(text, code)) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    const line = element("div");
    line.append(heading, copy);
    const code = element("pre", title.includes("curl") ? "wrapped" : "", text);
    code.tabIndex = 0;
    box.append(line, code);
    return box;
  });
}

// Returns a signature in words.
export function shapesOf(signature) {
  const side = (tensors) =>
    Object.entries(tensors)
      .map(([name, { dtype, shape }]) => {
        const sizes = shape?.map((n, i) => (n === -1 ? (i ? "?" : "B") : n));
        return `${name}: ${dtype} [${sizes ? sizes.join(", ") : "any shape"}]`;
      })
      .join("; ");
  return `${side(signature.inputs)} → ${side(signature.outputs)}`;
}

// The clipboard is for pages of this machine and of https alone.
async function copied(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
