// Uses the playground page as a person does: selects, types, clicks, reads.

import { report, step } from "./page.js";

const frame = document.getElementById("frame");

/** Waits until the page has this state; the harness bounds the time. */
function until(look) {
  step(`${look}; the screen shows: ${at("screen")?.textContent} ${at("problem")?.textContent}`);
  return new Promise((resolve) => {
    const check = () => {
      const seen = look();
      if (!seen) return false;
      resolve(seen);
      return true;
    };
    if (check()) return;
    const observer = new frame.contentWindow.MutationObserver(() => { if (check()) observer.disconnect(); });
    observer.observe(frame.contentDocument, { subtree: true, childList: true, attributes: true, characterData: true });
  });
}

const at = (id) => frame.contentDocument.getElementById(id);
const screen = () => at("screen").textContent;
const rows = () => [...at("rows").rows].map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim()));
const isOver = () => frame.contentDocument.body.dataset.running === "false";

function set(id, value) {
  at(id).value = value;
  at(id).dispatchEvent(new Event("input", { bubbles: true }));
}

/** Starts the selected program; its screen is a new one. */
async function run() {
  at("screen").textContent = "";
  at("run").click();
  await until(() => screen().startsWith("$ ") || !at("problem").hidden);
}

function type(line) {
  set("line", line);
  at("send").click();
}

async function open() {
  const loaded = new Promise((resolve) => { frame.onload = resolve; });
  frame.src = "/playground/";
  step("opens the playground");
  await loaded;
  await until(() => frame.contentDocument.body.dataset.ready);
}

async function choose(name) {
  [...at("guests").querySelectorAll("button")].find((button) => button.textContent === name).click();
  await until(() => !at("run").disabled);
}

report(async ({ url, echoPort, refusedPort, strategy }) => {
  const seen = {};
  await open();
  seen.guests = [...at("guests").querySelectorAll("button")].map((button) => button.textContent);
  seen.runIsDisabled = at("run").disabled;
  set("url", url);
  at("strategy").value = strategy;

  // A connection with typed input.
  await choose("netcat");
  set("args", `127.0.0.1 ${echoPort}`);
  await run();
  await until(() => screen().includes("connected to"));
  seen.node = at("node").textContent;
  type("hello from the page");
  await until(() => screen().split("hello from the page").length === 3);
  seen.count = at("count").textContent;
  seen.open = await until(() => rows().find(([, up, down]) => up === "20 B" && down === "20 B"));
  at("eof").click();
  await until(() => isOver() && screen().includes("ended with 0"));
  seen.ended = rows()[0];
  seen.countAfter = at("count").textContent;

  // A closed port.
  set("args", `127.0.0.1 ${refusedPort}`);
  await run();
  await until(() => isOver() && screen().includes("ended with"));
  seen.refused = screen();
  seen.refusedRow = rows()[0];

  // Invalid words.
  set("args", '"open');
  await run();
  seen.problem = (await until(() => !at("problem").hidden && at("problem").textContent));

  // A port that the policy does not allow: the program gets an errno, the person an explanation.
  await choose("echo-server");
  set("args", "127.0.0.1 80");
  await run();
  await until(() => isOver() && screen().includes("ended with"));
  seen.denied = screen();

  // An invalid address.
  set("url", "localhost:9300");
  await run();
  seen.address = await until(() => !at("problem").hidden && at("problem").textContent);
  set("url", url);

  // A listener that is stopped.
  await choose("echo-server");
  await run();
  await until(() => /listening on \d+/.test(screen()));
  seen.listener = await until(() => rows().find(([, , , state]) => state === "open"));
  at("stop").click();
  await until(() => isOver() && screen().includes("stopped"));
  seen.stopped = [rows()[0][3], at("count").textContent];

  // A dropped file that is not a program.
  const { DataTransfer, DragEvent, File } = frame.contentWindow;
  const data = new DataTransfer();
  data.items.add(new File(["no program"], "odd.wasm"));
  at("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
  await until(() => at("chosen").textContent === "odd.wasm");
  at("run").click();
  seen.odd = await until(() => isOver() && !at("problem").hidden && at("problem").textContent);
  return seen;
});
