// In the browser: carries out what bench.js asks for.

import { carryOut } from "../test/wasi/commands.js";
import * as functions from "./functions.js";

carryOut(functions);
