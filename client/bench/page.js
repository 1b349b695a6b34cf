// In the browser: runs the work of bench.js.

import { carryOut } from "../test/wasi/commands.js";
import * as functions from "./functions.js";

carryOut(functions);
