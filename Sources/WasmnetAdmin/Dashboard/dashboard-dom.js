// Creates and changes elements without ever parsing a text as HTML.

/** An element with attributes and children; text children stay text. `on…` attributes are listeners. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children);
  return node;
}

export const byID = (id) => document.getElementById(id);

/** Sets a text if it differs; setting it again would lose the reader's selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or, for null, removes an attribute if it differs. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** Makes a list of names and values show these pairs; the names must exist. */
export function setFacts(list, pairs) {
  list.replaceChildren(...pairs.filter(([, value]) => value !== undefined).map(([name, value]) =>
    element('div', {}, element('dt', {}, name), element('dd', {}, element('bdi', {}, value)))));
}

/** Reports the result of an action in a `role=status` line, so that it is read out. */
export function say(line, text, isProblem = false) {
  line.classList.toggle('problem', isProblem);
  setText(line, text);
}
