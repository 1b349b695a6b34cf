import { coreWork } from "./core-work.js";
import { answer } from "./page-worker.js";

answer(coreWork);
