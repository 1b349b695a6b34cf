// One measurement in a Worker.

import { answer } from "../test/browser/page-worker.js";
import { WAYS } from "./ways.js";

answer(({ way, work, ...params }) => WAYS[way][work](params));
