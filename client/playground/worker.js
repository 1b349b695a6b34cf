// The program's thread if it waits with promises: a program that computes does not block the page.

import { startProgram } from "./program.js";

let program = null;

onmessage = ({ data }) => {
  if (data.type === "start") program = startProgram(data.settings, (message) => postMessage(message));
  else if (data.type === "line") program?.line(data.text);
  else if (data.type === "end") program?.end();
};
