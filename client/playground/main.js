// The playground page: choose a program, run it, watch it.

import { pickStrategy } from "../client/wasi/index.js";
import { urlOf } from "../client/lib/check.js";
import { compileBytes } from "../client/wasi/compile.js";
import { GUESTS, fetchGuest } from "./guests.js";
import { startRun } from "./runner.js";
import { SocketTable } from "./sockets.js";
import { Terminal, withHistory } from "./terminal.js";
import { environment, listeners, shellWords } from "./words.js";

const at = (id) => document.getElementById(id);
const terminal = new Terminal(at("screen"));
const table = new SocketTable({ rows: at("rows"), count: at("count"), none: at("none") });
const remember = withHistory(at("line"));

/** The selected program: {name, bytes(): Promise<ArrayBuffer>}. */
let picked = null;
let running = null;

at("url").value = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`;

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

function node(state, text) {
  at("node").dataset.state = state;
  at("node").textContent = text;
}

function controls() {
  at("run").disabled = !picked || running !== null;
  for (const id of ["stop", "line", "send", "eof"]) at(id).disabled = running === null;
  document.body.dataset.running = String(running !== null);
}

function pick(name, bytes) {
  picked = { name, bytes };
  at("chosen").textContent = name;
  problem("");
  controls();
}

function pickFile(file) {
  if (file) pick(file.name, () => file.arrayBuffer());
}

/** The form's settings for startRun; throws with a message for the user. */
async function settings() {
  const url = urlOf(at("url").value);
  return {
    args: [picked.name, ...shellWords(at("args").value)], env: environment(at("env").value), listen: listeners(at("listen").value),
    url, token: at("token").value, strategy: pickStrategy(at("strategy").value),
    module: await compileBytes(await picked.bytes(), picked.name),
  };
}

async function start() {
  problem("");
  // Disabled from the first click on: a second one must not start a second program.
  running = { line() {}, end() {}, stop() {} };
  controls();
  try {
    const chosen = await settings();
    terminal.clear();
    table.clear();
    terminal.line("in", `$ ${picked.name} ${at("args").value}`);
    node("wait", "connecting");
    running = startRun(chosen, hear);
    at("line").focus({ preventScroll: true });
  } catch (error) {
    problem(error.message);
    running = null;
    controls();
  }
}

function hear(message) {
  switch (message.type) {
    case "out": case "err": return terminal.write(message.type, message.bytes);
    case "sockets": return table.update(message.sockets);
    case "node": return message.state === "up"
      ? node("up", `connected, v${message.version}${message.name ? `, ${message.name}` : ""}`)
      : node(message.state, message.message);
    case "listening":
      for (const { host, port } of message.listeners) terminal.line("note", `listens on ${host}:${port}`);
      return undefined;
    case "refused": return terminal.line("bad", message.text);
    case "exit": return terminal.line("note", `ended with ${message.exitCode}`);
    case "failed": return terminal.line("bad", message.name ? `${message.name}: ${message.message}` : message.message);
    case "done":
      running = null;
      table.endAll("program ended");
      if (at("node").dataset.state !== "lost") node("idle", "no connection");
      return controls();
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!at("run").disabled) start();
});
at("stop").addEventListener("click", () => running?.stop());
at("file").addEventListener("change", (event) => pickFile(event.target.files[0]));

at("input").addEventListener("submit", (event) => {
  event.preventDefault();
  const { value } = at("line");
  remember(value);
  terminal.line("in", value);
  running?.line(`${value}\n`);
  at("line").value = "";
});
at("eof").addEventListener("click", () => {
  terminal.line("note", "end of input");
  running?.end();
});

// A file can be dropped anywhere.
addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  pickFile(event.dataTransfer.files[0]);
});

for (const { file, args, what } of GUESTS) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = file.replace(".wasm", "");
  button.title = what;
  button.addEventListener("click", () => {
    pick(file, () => fetchGuest(file));
    at("args").value = args;
  });
  at("guests").append(button);
}
controls();
document.body.dataset.ready = "true";
